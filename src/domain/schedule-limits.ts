import { AmrSchedule } from './enums.js';

const DAY = 86_400;

/** Latest start of a direct invocation after it was asked for, in seconds. */
export const MAX_INVOCATION_OFFSET_SECONDS = 365 * DAY;

/** The shortest length of a schedule's period in seconds: the most a run may be delayed after its slot. */
const PERIOD_SECONDS: Readonly<Record<AmrSchedule, number>> = {
  [AmrSchedule.QUARTERLY]: 900,
  [AmrSchedule.HOURLY]: 3_600,
  [AmrSchedule.DAILY]: DAY,
  [AmrSchedule.WEEKLY]: 7 * DAY,
  [AmrSchedule.MONTHLY]: 28 * DAY,
  [AmrSchedule.YEARLY]: 365 * DAY,
};

export function periodSeconds(schedule: AmrSchedule): number {
  return PERIOD_SECONDS[schedule];
}
