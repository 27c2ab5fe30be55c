/** The values below which these shares of all lie; Infinity without values. */
export function percentiles(values: Iterable<number>, shares: readonly number[]): number[] {
  const sorted = Float64Array.from(values).sort();
  return shares.map((share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Infinity);
}
