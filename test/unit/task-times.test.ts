import fc from 'fast-check';
import { expect, it } from 'vitest';
import { AmrTask } from '../../entities/index.js';
import { AmrSchedule } from '../../src/domain/enums.js';
import { periodSeconds } from '../../src/domain/schedule-limits.js';
import { latestSlot } from '../../src/domain/schedule.js';
import { nextRunAt } from '../../src/services/amr-tasks.js';

function task(changes: Partial<AmrTask>): AmrTask {
  const activeSince = new Date('2020-01-01T00:00:00Z');
  return Object.assign(new AmrTask(), { schedule: AmrSchedule.HOURLY, activeSince, ...changes });
}
const at = (time: string) => new Date(`2026-01-31T${time}Z`);

it('runs next at the first slot plus offset that is still to come', () => {
  expect(nextRunAt(task({}), at('09:30:00'))).toEqual(at('10:00:00'));
  // The slot of 09:00 has passed, its run has not started yet.
  expect(nextRunAt(task({ runOffsetSeconds: 2400 }), at('09:30:00'))).toEqual(at('09:40:00'));
  expect(nextRunAt(task({ runOffsetSeconds: 3600 }), at('09:30:00'))).toEqual(at('10:00:00'));
});

it('does not count a slot before the task became active, but the one at that very instant', () => {
  expect(nextRunAt(task({ runOffsetSeconds: 2400, activeSince: at('09:10:00') }), at('09:30:00'))).toEqual(
    at('10:40:00'),
  );
  expect(nextRunAt(task({ runOffsetSeconds: 2400, activeSince: at('09:00:00') }), at('09:30:00'))).toEqual(
    at('09:40:00'),
  );
});

it('runs next at an instant that is a slot plus offset to the millisecond, after now, and not later than need be', () => {
  const instants = fc.date({ min: new Date('1999-12-25Z'), max: new Date('2105-01-05Z'), noInvalidDate: true });
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.values(AmrSchedule)),
      instants,
      instants,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (schedule, now, activeSince, share) => {
        const runOffsetSeconds = Math.round(share * periodSeconds(schedule));
        const next = nextRunAt(task({ schedule, activeSince, runOffsetSeconds }), now)!;
        const slot = new Date(next.getTime() - runOffsetSeconds * 1000);
        expect(latestSlot(schedule, slot)).toEqual(slot);
        expect(slot >= activeSince).toBe(true);
        expect(next > now).toBe(true);
        const earlier = latestSlot(schedule, new Date(slot.getTime() - 1));
        expect(earlier < activeSince || earlier.getTime() + runOffsetSeconds * 1000 <= now.getTime()).toBe(true);
      },
    ),
  );
});

it('does not run a millisecond early', () => {
  expect(nextRunAt(task({}), at('09:59:59.999'))).toEqual(at('10:00:00'));
  expect(nextRunAt(task({}), at('10:00:00'))).toEqual(at('11:00:00'));
  expect(nextRunAt(task({ activeSince: at('10:00:00.001') }), at('09:30:00'))).toEqual(at('11:00:00'));
});

it('has no next run while inactive', () => {
  expect(nextRunAt(task({ isActive: false }), at('09:30:00'))).toBeNull();
});

it('allows an offset up to the shortest period of each schedule', () => {
  expect(Object.values(AmrSchedule).map(periodSeconds)).toEqual([900, 3600, 86_400, 604_800, 2_419_200, 31_536_000]);
});
