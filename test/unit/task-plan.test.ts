import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AmrSchedule } from '../../src/domain/enums.js';
import {
  parallelSessionsNeeded,
  scheduleThatHolds,
  slotSeconds,
  type SegmentLoad,
  type SlotLoad,
} from '../../src/domain/task-plan.js';
import { adviceFor, type NamedLoad } from '../../src/services/plan-advice.js';

const count = (max: number) => fc.integer({ min: 1, max });
const seconds = fc.double({ min: 0.01, max: 600, noNaN: true });
const limit = fc.option(count(10_000));
const segment: fc.Arbitrary<SegmentLoad> = fc.record({
  meters: count(100_000),
  maxOpenSessions: limit,
  maxNewSessionsPerSecond: limit,
});
const load: fc.Arbitrary<SlotLoad> = fc.record({
  sessions: count(1_000_000),
  secondsPerSession: seconds,
  pollerCapacity: count(20_000),
  metersOnLongestInterface: count(1_000),
  segments: fc.array(segment, { maxLength: 2 }),
});
const raised = (value: number | null, by: number) => (value === null ? null : value + by);

describe('the time of a slot', () => {
  it('is what the slowest of pollers, interfaces and segments makes it', () => {
    const base = {
      sessions: 1_000,
      secondsPerSession: 20,
      pollerCapacity: 100,
      metersOnLongestInterface: 5,
      segments: [],
    };
    expect(slotSeconds(base)).toBe(200);
    expect(slotSeconds({ ...base, metersOnLongestInterface: 40 })).toBe(800);
    const cell = { meters: 600, maxOpenSessions: 10, maxNewSessionsPerSecond: null };
    expect(slotSeconds({ ...base, segments: [cell] })).toBe(1_200);
    expect(slotSeconds({ ...base, segments: [{ ...cell, maxNewSessionsPerSecond: 1, maxOpenSessions: null }] })).toBe(
      600,
    );
    expect(slotSeconds({ ...base, sessions: 0, metersOnLongestInterface: 0, pollerCapacity: 0 })).toBe(0);
    expect(slotSeconds({ ...base, pollerCapacity: 0 })).toBe(Infinity);
  });

  it('is never shorter with more meters or slower ones', () => {
    fc.assert(
      fc.property(load, count(10_000), seconds, (given, more, slower) => {
        const before = slotSeconds(given);
        const segments = given.segments.map((one) => ({ ...one, meters: one.meters + more }));
        expect(slotSeconds({ ...given, sessions: given.sessions + more })).toBeGreaterThanOrEqual(before);
        expect(
          slotSeconds({ ...given, metersOnLongestInterface: given.metersOnLongestInterface + more }),
        ).toBeGreaterThanOrEqual(before);
        expect(slotSeconds({ ...given, segments })).toBeGreaterThanOrEqual(before);
        expect(slotSeconds({ ...given, secondsPerSession: given.secondsPerSession + slower })).toBeGreaterThanOrEqual(
          before,
        );
      }),
    );
  });

  it('is never longer with more capacity', () => {
    fc.assert(
      fc.property(load, count(10_000), (given, more) => {
        const before = slotSeconds(given);
        const segments = given.segments.map((one) => ({
          ...one,
          maxOpenSessions: raised(one.maxOpenSessions, more),
          maxNewSessionsPerSecond: raised(one.maxNewSessionsPerSecond, more),
        }));
        expect(slotSeconds({ ...given, pollerCapacity: given.pollerCapacity + more })).toBeLessThanOrEqual(before);
        expect(slotSeconds({ ...given, segments })).toBeLessThanOrEqual(before);
      }),
    );
  });

  it('fits with as many parallel sessions as are needed, and not with one less', () => {
    fc.assert(
      fc.property(count(1_000_000), seconds, count(100_000), (sessions, secondsPerSession, available) => {
        const needed = parallelSessionsNeeded(sessions, secondsPerSession, available);
        const takes = (pollerCapacity: number) =>
          slotSeconds({ sessions, secondsPerSession, pollerCapacity, metersOnLongestInterface: 0, segments: [] });
        expect(takes(needed)).toBeLessThanOrEqual(available * (1 + 1e-9));
        if (needed > 1) expect(takes(needed - 1)).toBeGreaterThan(available * (1 - 1e-9));
      }),
    );
  });
});

describe('a schedule that holds', () => {
  it.each([
    [0, AmrSchedule.QUARTERLY],
    [900, AmrSchedule.QUARTERLY],
    [901, AmrSchedule.HOURLY],
    [3_601, AmrSchedule.DAILY],
    [8 * 86_400, AmrSchedule.MONTHLY],
    [400 * 86_400, undefined],
  ])('%i s is %s', (needed, schedule) => expect(scheduleThatHolds(needed)).toBe(schedule));
});

describe('advice', () => {
  const fine: NamedLoad = {
    sessions: 1_000,
    secondsPerSession: 20,
    pollerCapacity: 100,
    metersOnLongestInterface: 5,
    longestInterface: { name: 'gateway', meters: 5 },
    segments: [{ name: 'cell', meters: 100, maxOpenSessions: 10, maxNewSessionsPerSecond: 5 }],
    availableSeconds: 900,
  };

  it('is silent when a slot ends in time', () => expect(adviceFor(fine)).toEqual([]));

  it('says how many sessions are missing', () => {
    expect(adviceFor({ ...fine, pollerCapacity: 20 })).toEqual([
      'A slot needs 23 parallel sessions and the pollers seen hold 20: start pollers, or raise AMR_MAX_SESSIONS, for 3 more.',
    ]);
    expect(adviceFor({ ...fine, pollerCapacity: 0 })).toEqual([expect.stringContaining('no poller is seen')]);
  });

  it('says to what the limits of a segment must be raised', () => {
    const segments = [{ name: 'cell', meters: 1_000, maxOpenSessions: 10, maxNewSessionsPerSecond: 1 }];
    expect(adviceFor({ ...fine, segments })).toEqual([
      'The segment "cell" needs 2000 s for its 1000 meters, and there are 900 s: raise its maxOpenSessions from 10 to 23 and ' +
        'raise its maxNewSessionsPerSecond from 1 to 2 if its network can take that, split it into 3 segments, ' +
        'or choose a schedule and a deadline that leave more time (HOURLY does).',
    ]);
  });

  it('says how many meters to take off an interface', () => {
    const longestInterface = { name: 'gateway', meters: 60 };
    expect(adviceFor({ ...fine, metersOnLongestInterface: 60, longestInterface })).toEqual([
      'The network interface "gateway" serves its 60 meters one after another, 1200 s of the 900 s there are: ' +
        'spread 15 of them over other interfaces, or choose a schedule and a deadline that leave more time (HOURLY does).',
    ]);
  });

  it('says so when nothing would be read', () => {
    expect(adviceFor({ ...fine, sessions: 0 })).toEqual([expect.stringContaining('No meter would be read')]);
  });

  it('is given exactly when a slot takes longer than there is', () => {
    fc.assert(
      fc.property(load, fc.integer({ min: 1, max: 100_000 }), (given, availableSeconds) => {
        // Where the two are all but equal, the order of the divisions decides.
        fc.pre(Math.abs(slotSeconds(given) / availableSeconds - 1) > 1e-9);
        const named: NamedLoad = {
          ...given,
          segments: given.segments.map((one) => ({ ...one, name: 'cell' })),
          longestInterface: { name: 'gateway', meters: given.metersOnLongestInterface },
          availableSeconds,
        };
        expect(adviceFor(named).length > 0).toBe(slotSeconds(given) > availableSeconds);
      }),
    );
  });
});
