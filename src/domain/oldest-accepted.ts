const DAY_MS = 86_400_000;

/**
 * Readings measured before are refused: the product's bound, or where readings are kept for a time, the start of the
 * oldest month that is kept. A month that was dropped is so not made again for a few late readings.
 * @param now ms since the epoch; so is the result, always the first of a month in UTC
 */
export function oldestAccepted(
  { oldestReading, readingsKeptDays }: { oldestReading: number; readingsKeptDays?: number | undefined },
  now: number,
): number {
  if (readingsKeptDays === undefined) return oldestReading;
  const kept = new Date(now - readingsKeptDays * DAY_MS);
  return Math.max(oldestReading, Date.UTC(kept.getUTCFullYear(), kept.getUTCMonth(), 1));
}
