/** Readings that were written together, and when their write began; milliseconds since the epoch. */
export interface WrittenBatch {
  at: number;
  readings: number;
}

/** Share of the readings that is left out at the start: connections, caches and compiled code are new there. */
const WARM_UP = 0.2;

/**
 * Readings per second after the warm-up. A batch is stamped when its write begins: the last one is left out, as its end is
 * not known. Throws when too few batches are left to tell.
 */
export function steadyRate(batches: readonly WrittenBatch[]): number {
  const ordered = [...batches].sort((a, b) => a.at - b.at);
  const total = ordered.reduce((sum, { readings }) => sum + readings, 0);
  let before = 0;
  let first = 0;
  while (before < total * WARM_UP) before += ordered[first++]!.readings;
  const from = ordered[first]?.at;
  const to = ordered.at(-1)?.at;
  if (from === undefined || to === undefined || from === to)
    throw new Error(`${batches.length} batches are too few for a rate: ask for more with --readings`);
  const counted = ordered.slice(first).filter(({ at }) => at < to);
  return (counted.reduce((sum, { readings }) => sum + readings, 0) * 1000) / (to - from);
}
