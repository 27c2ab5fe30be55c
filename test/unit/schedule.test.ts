import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseSlots, mergeSlots, spanSeconds } from '../../src/domain/catch-up.js';
import { AmrSchedule, CatchUpPolicy } from '../../src/domain/enums.js';
import { latestSlot, nextSlot, slotsBetween } from '../../src/domain/schedule.js';

const at = (text: string) => new Date(text);
const schedules = fc.constantFrom(...Object.values(AmrSchedule));
const instants = fc.date({ min: at('1999-12-25T00:00:00Z'), max: at('2105-01-05T00:00:00Z'), noInvalidDate: true });

describe('slots', () => {
  it.each([
    [AmrSchedule.QUARTERLY, '2026-01-31T10:14:59.999Z', '2026-01-31T10:00:00Z', '2026-01-31T10:15:00Z'],
    [AmrSchedule.QUARTERLY, '2026-01-31T10:15:00.000Z', '2026-01-31T10:15:00Z', '2026-01-31T10:30:00Z'],
    [AmrSchedule.HOURLY, '2026-12-31T23:59:59Z', '2026-12-31T23:00:00Z', '2027-01-01T00:00:00Z'],
    [AmrSchedule.DAILY, '2028-02-28T12:00:00Z', '2028-02-28T00:00:00Z', '2028-02-29T00:00:00Z'],
    [AmrSchedule.WEEKLY, '2026-01-04T23:59:59Z', '2025-12-29T00:00:00Z', '2026-01-05T00:00:00Z'],
    [AmrSchedule.WEEKLY, '2026-01-05T00:00:00Z', '2026-01-05T00:00:00Z', '2026-01-12T00:00:00Z'],
    [AmrSchedule.MONTHLY, '2026-01-31T00:00:00Z', '2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z'],
    [AmrSchedule.MONTHLY, '2026-12-15T00:00:00Z', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
    [AmrSchedule.YEARLY, '2028-12-31T23:59:59Z', '2028-01-01T00:00:00Z', '2029-01-01T00:00:00Z'],
    // Leap days, and the years whose centuries have none.
    [AmrSchedule.DAILY, '2028-02-29T23:59:59.999Z', '2028-02-29T00:00:00Z', '2028-03-01T00:00:00Z'],
    [AmrSchedule.DAILY, '2100-02-28T12:00:00Z', '2100-02-28T00:00:00Z', '2100-03-01T00:00:00Z'],
    [AmrSchedule.MONTHLY, '2028-02-29T12:00:00Z', '2028-02-01T00:00:00Z', '2028-03-01T00:00:00Z'],
    [AmrSchedule.MONTHLY, '2027-03-31T23:59:59.999Z', '2027-03-01T00:00:00Z', '2027-04-01T00:00:00Z'],
    [AmrSchedule.MONTHLY, '2027-04-30T23:59:59.999Z', '2027-04-01T00:00:00Z', '2027-05-01T00:00:00Z'],
    [AmrSchedule.YEARLY, '2028-02-29T00:00:00Z', '2028-01-01T00:00:00Z', '2029-01-01T00:00:00Z'],
    [AmrSchedule.YEARLY, '2029-01-01T00:00:00Z', '2029-01-01T00:00:00Z', '2030-01-01T00:00:00Z'],
    // A week over the end of the year; a quarter-hour, an hour and a day over all three ends at once.
    [AmrSchedule.WEEKLY, '2026-12-31T23:59:59.999Z', '2026-12-28T00:00:00Z', '2027-01-04T00:00:00Z'],
    [AmrSchedule.QUARTERLY, '2028-12-31T23:59:59.999Z', '2028-12-31T23:45:00Z', '2029-01-01T00:00:00Z'],
    [AmrSchedule.DAILY, '2028-12-31T23:59:59.999Z', '2028-12-31T00:00:00Z', '2029-01-01T00:00:00Z'],
  ])('%s at %s: latest %s, next %s', (schedule, now, latest, next) => {
    expect(latestSlot(schedule, at(now))).toEqual(at(latest));
    expect(nextSlot(schedule, at(now))).toEqual(at(next));
  });

  it('surround every instant without a gap', () => {
    fc.assert(
      fc.property(schedules, instants, (schedule, now) => {
        const latest = latestSlot(schedule, now);
        const next = nextSlot(schedule, now);
        expect(latest <= now && now < next).toBe(true);
        expect(latestSlot(schedule, latest)).toEqual(latest);
        expect(latestSlot(schedule, next)).toEqual(next);
        expect(latestSlot(schedule, new Date(next.getTime() - 1))).toEqual(latest);
      }),
    );
  });

  it('of a range are those that stepping forward finds', () => {
    fc.assert(
      fc.property(schedules, instants, fc.integer({ min: 0, max: 40 }), (schedule, after, steps) => {
        const expected: Date[] = [];
        let slot = after;
        for (let step = 0; step < steps; step++) expected.push((slot = nextSlot(schedule, slot)));
        expect(slotsBetween(schedule, after, expected.at(-1) ?? after, 100)).toEqual(expected);
        expect(slotsBetween(schedule, after, expected.at(-1) ?? after, 3)).toEqual(expected.slice(-3));
      }),
    );
  });

  it('of months and years are first days at midnight, whatever their lengths', () => {
    fc.assert(
      fc.property(instants, (now) => {
        const month = nextSlot(AmrSchedule.MONTHLY, now);
        expect(month.toISOString()).toMatch(/-01T00:00:00.000Z$/);
        // Not two months on from a 31st: the next month, or January.
        expect((month.getUTCMonth() - now.getUTCMonth() + 12) % 12).toBe(1);
        const year = nextSlot(AmrSchedule.YEARLY, now);
        expect(year.toISOString()).toBe(`${now.getUTCFullYear() + 1}-01-01T00:00:00.000Z`);
      }),
    );
  });

  it('weekly slots are Mondays', () => {
    fc.assert(
      fc.property(instants, (now) => {
        expect(nextSlot(AmrSchedule.WEEKLY, now).getUTCDay()).toBe(1);
      }),
    );
  });
});

describe('catching up', () => {
  const due = [at('2026-01-01T10:00:00Z'), at('2026-01-01T10:15:00Z'), at('2026-01-01T10:30:00Z')];
  const onTime = at('2026-01-01T10:30:59Z');
  const late = at('2026-01-01T10:44:00Z');

  it('runs only the latest by default', () => {
    expect(chooseSlots(CatchUpPolicy.LATEST, due, late)).toEqual({ run: [due[2]], skip: [due[0], due[1]] });
  });
  it('runs nothing missed under skip, but a slot that is on time', () => {
    expect(chooseSlots(CatchUpPolicy.SKIP, due, late)).toEqual({ run: [], skip: due });
    expect(chooseSlots(CatchUpPolicy.SKIP, due, onTime)).toEqual({ run: [due[2]], skip: [due[0], due[1]] });
    // Its runs are still to begin.
    expect(chooseSlots(CatchUpPolicy.SKIP, due, late, 86_400)).toEqual({ run: [due[2]], skip: [due[0], due[1]] });
  });
  it('runs every slot under all', () => {
    expect(chooseSlots(CatchUpPolicy.ALL, due, late)).toEqual({ run: due, skip: [] });
  });
  it('has nothing to do without a due slot', () => {
    expect(chooseSlots(CatchUpPolicy.ALL, [], late)).toEqual({ run: [], skip: [] });
  });
});

describe('merging slots', () => {
  const days = (count: number) => Array.from({ length: count }, (_, day) => new Date(Date.UTC(2026, 0, 1 + day)));

  it('puts all into one run that covers them, and one into each where no run covers more', () => {
    expect(mergeSlots(days(4), () => true)).toEqual([days(4)]);
    expect(mergeSlots(days(3), () => false)).toEqual(days(3).map((day) => [day]));
    expect(mergeSlots([], () => true)).toEqual([]);
  });

  it('fills the newest run first when one does not cover all', () => {
    const [a, b, c, d, e] = days(5);
    expect(mergeSlots(days(5), (span) => span <= 2 * 86_400)).toEqual([
      [a, b],
      [c, d, e],
    ]);
  });

  it('runs, merges or skips every due slot, exactly once, under each policy', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(CatchUpPolicy)),
        schedules,
        instants,
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 0, max: 40 * 86_400 }),
        (policy, schedule, now, limit, longestSpan) => {
          const due = slotsBetween(schedule, new Date(0), now, limit);
          const { run, skip } = chooseSlots(policy, due, now);
          const parts = mergeSlots(run, (span) => span <= longestSpan);
          expect([...skip, ...parts.flat()]).toEqual(due);
          expect(parts.length).toBeLessThanOrEqual(due.length);
          for (const part of parts) {
            expect(part.length).toBeGreaterThan(0);
            if (part.length > 1) expect(spanSeconds(part)).toBeLessThanOrEqual(longestSpan);
          }
          // As few runs as the limit allows: no part could have taken the newest of the part before it.
          for (const [index, part] of parts.slice(1).entries()) {
            expect(spanSeconds([parts[index]!.at(-1)!, ...part])).toBeGreaterThan(longestSpan);
          }
          if (policy !== CatchUpPolicy.ALL) expect(run.length).toBeLessThanOrEqual(1);
        },
      ),
    );
  });
});
