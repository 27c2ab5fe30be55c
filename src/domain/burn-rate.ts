/** How much of what happened in a window was as it should be. */
export interface Share {
  readonly good: number;
  readonly total: number;
}

/** Windows an objective is watched over: a long one says that it matters, its short one that it still goes on. */
export const BURN_WINDOWS = ['5 minutes', '30 minutes', '1 hour', '6 hours'] as const;
export type BurnWindow = (typeof BURN_WINDOWS)[number];
/** Null where nothing happened. */
export type BurnRates = Readonly<Record<BurnWindow, number | null>>;

export type BurnSeverity = 'critical' | 'warning';

/**
 * Limits of the multi-window rule of the SRE Workbook (chapter 5) for a budget of 30 days: at 14.4 an hour spends 2 % of it,
 * at 6 six hours spend 5 %.
 */
const RULES = [
  { severity: 'critical', long: '1 hour', short: '5 minutes', above: 14.4 },
  { severity: 'warning', long: '6 hours', short: '30 minutes', above: 6 },
] as const;

/** Share of what was good, from 0 to 1; null where nothing happened. */
export function complianceOf({ good, total }: Share): number | null {
  return total > 0 ? good / total : null;
}

/**
 * How fast the tolerated share of errors is used up: 1 spends it exactly, 2 twice as fast. Null where nothing happened.
 * @param target share that is to be good, above 0 and below 1
 */
export function burnRateOf({ good, total }: Share, target: number): number | null {
  return total > 0 ? (total - good) / total / (1 - target) : null;
}

/**
 * How bad it is that the budget burns so; undefined where it is not. A short window in which nothing happened does not
 * speak against its long one: hourly slots leave most windows of 5 minutes empty, and the alert would come and go.
 */
export function burnSeverityOf(rates: BurnRates): BurnSeverity | undefined {
  return RULES.find(({ long, short, above }) => (rates[long] ?? 0) > above && (rates[short] ?? Infinity) > above)
    ?.severity;
}
