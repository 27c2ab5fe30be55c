import { AmrSchedule } from './enums.js';

/**
 * The calendar of slots, in UTC and without a clock: quarterly at :00 :15 :30 :45, hourly at :00, daily at 00:00,
 * weekly on Monday 00:00, monthly on the 1st, yearly on 1 January.
 */

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** 1970-01-01 was a Thursday; the Monday before it. */
const FIRST_MONDAY = -3 * DAY;

const FIXED_PERIODS: Partial<Record<AmrSchedule, { period: number; origin: number }>> = {
  [AmrSchedule.QUARTERLY]: { period: 15 * MINUTE, origin: 0 },
  [AmrSchedule.HOURLY]: { period: 60 * MINUTE, origin: 0 },
  [AmrSchedule.DAILY]: { period: DAY, origin: 0 },
  [AmrSchedule.WEEKLY]: { period: 7 * DAY, origin: FIRST_MONDAY },
};

/** The latest slot at or before `at`. */
export function latestSlot(schedule: AmrSchedule, at: Date): Date {
  const fixed = FIXED_PERIODS[schedule];
  if (fixed) return new Date(Math.floor((at.getTime() - fixed.origin) / fixed.period) * fixed.period + fixed.origin);
  return new Date(Date.UTC(at.getUTCFullYear(), schedule === AmrSchedule.MONTHLY ? at.getUTCMonth() : 0, 1));
}

/** The first slot strictly after `after`. */
export function nextSlot(schedule: AmrSchedule, after: Date): Date {
  const latest = latestSlot(schedule, after);
  const fixed = FIXED_PERIODS[schedule];
  if (fixed) return new Date(latest.getTime() + fixed.period);
  return schedule === AmrSchedule.MONTHLY
    ? new Date(Date.UTC(latest.getUTCFullYear(), latest.getUTCMonth() + 1, 1))
    : new Date(Date.UTC(latest.getUTCFullYear() + 1, 0, 1));
}

/** The slots in (`after`, `until`], oldest first; of more than `limit` the newest are given. */
export function slotsBetween(schedule: AmrSchedule, after: Date, until: Date, limit: number): Date[] {
  const slots: Date[] = [];
  let slot = latestSlot(schedule, until);
  while (slot > after && slots.length < limit) {
    slots.push(slot);
    slot = latestSlot(schedule, new Date(slot.getTime() - 1));
  }
  return slots.reverse();
}
