/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` different whole numbers below `limit`, in the order they were drawn. All of them when there are no more. */
export function drawDistinct(random: () => number, limit: number, count: number): number[] {
  const pool = Array.from({ length: limit }, (_, index) => index);
  const drawn = Math.min(count, limit);
  for (let index = 0; index < drawn; index++) {
    const other = index + Math.floor(random() * (limit - index));
    [pool[index], pool[other]] = [pool[other]!, pool[index]!];
  }
  return pool.slice(0, drawn);
}
