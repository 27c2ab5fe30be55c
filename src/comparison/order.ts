/** A reading that was committed: which meter, and when it was published and committed, as places in either order. */
export interface CommittedPlace {
  meter: number;
  published: number;
  /** Equal for readings of one transaction. */
  committed: number;
}

/** Readings that were committed before one that had been published earlier: of the same meter, and of any. */
export function countInversions(places: readonly CommittedPlace[]): { perMeter: number; overall: number } {
  const inOrder = [...places].sort((a, b) => a.published - b.published);
  const lastOfMeter = new Map<number, number>();
  let last = -Infinity;
  const inversions = { perMeter: 0, overall: 0 };
  for (const { meter, committed } of inOrder) {
    const lastHere = lastOfMeter.get(meter) ?? -Infinity;
    if (committed < lastHere) inversions.perMeter++;
    if (committed < last) inversions.overall++;
    lastOfMeter.set(meter, Math.max(lastHere, committed));
    last = Math.max(last, committed);
  }
  return inversions;
}

/** Nearest-rank percentiles of `values`; undefined where there are none. */
export function percentiles(
  values: readonly number[],
): { p50: number; p95: number; p99: number; max: number } | undefined {
  if (values.length === 0) return undefined;
  const sorted = Float64Array.from(values).sort();
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
  return { p50: rank(0.5), p95: rank(0.95), p99: rank(0.99), max: sorted.at(-1)! };
}
