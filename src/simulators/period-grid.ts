/** Where the periods of an archive end, in local device time (milliseconds). Period `index` ends at `endOf(index)`. */
export interface PeriodGrid {
  /** The last period that has ended at `localMs`. */
  lastEndedAt(localMs: number): number;
  endOf(index: number): number;
}

/** The gas day begins at 06:00 local time: days and months close then. */
export const GAS_DAY_START_MS = 6 * 3_600_000;

export const MINUTES = fixedPeriods(60_000, 0);
export const HOURS = fixedPeriods(3_600_000, 0);
export const GAS_DAYS = fixedPeriods(86_400_000, GAS_DAY_START_MS);

export const GAS_MONTHS: PeriodGrid = {
  lastEndedAt(localMs) {
    const day = new Date(localMs - GAS_DAY_START_MS);
    return day.getUTCFullYear() * 12 + day.getUTCMonth();
  },
  endOf: (index) => Date.UTC(Math.floor(index / 12), index % 12, 1) + GAS_DAY_START_MS,
};

function fixedPeriods(periodMs: number, shiftMs: number): PeriodGrid {
  return {
    lastEndedAt: (localMs) => Math.floor((localMs - shiftMs) / periodMs),
    endOf: (index) => index * periodMs + shiftMs,
  };
}
