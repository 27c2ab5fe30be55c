/** How often a register is read, as its readings show. Milliseconds. */
export interface ReadingRhythm {
  readonly intervalMs: number;
  /** An instant of the grid that its readings lie on. */
  readonly phaseMs: number;
}

const MINUTE_MS = 60_000;
/** From here on intervals are of the calendar (a day of 23 hours, a month of 28 days) and lie on no grid of equal steps. */
const CALENDAR_INTERVAL_MS = 23 * 60 * MINUTE_MS;

/** The rhythm behind a median distance between readings, which clocks and polls blur by seconds. */
export function rhythmOf(medianMs: number, newestMs: number): ReadingRhythm | undefined {
  const intervalMs = medianMs < MINUTE_MS ? Math.round(medianMs) : Math.round(medianMs / MINUTE_MS) * MINUTE_MS;
  return intervalMs > 0 ? { intervalMs, phaseMs: newestMs } : undefined;
}

/**
 * Readings that a complete bucket has.
 * @param ends whether a reading of its end belongs to it, and not one of its start
 */
export function expectedReadings(
  { intervalMs, phaseMs }: ReadingRhythm,
  { start, end }: { start: number; end: number },
  ends: boolean,
): number {
  if (intervalMs >= CALENDAR_INTERVAL_MS) return Math.round((end - start) / intervalMs);
  const before = (instant: number) => {
    const steps = (instant - phaseMs) / intervalMs;
    return ends ? Math.floor(steps) : Math.ceil(steps);
  };
  return before(end) - before(start);
}
