import { scramble } from './load-curve.js';

/** How a quantity is spread over meters or exchanges. A number stands for a fixed value. */
export type Distribution =
  | number
  | { distribution: 'fixed'; value: number }
  | { distribution: 'uniform'; min: number; max: number }
  /** Most values near the median, some far above: as answers over radio are. `sigma` is that of the logarithm. */
  | { distribution: 'lognormal'; median: number; sigma: number; max?: number };

/** The value number `n` of the series that `seed` stands for: equal arguments give equal values. */
export function sample(spread: Distribution, seed: number, n: number): number {
  if (typeof spread === 'number') return spread;
  switch (spread.distribution) {
    case 'fixed':
      return spread.value;
    case 'uniform':
      return spread.min + (spread.max - spread.min) * fraction(seed, 2 * n);
    case 'lognormal': {
      // Box and Muller: two even numbers make a normal one.
      const radius = Math.sqrt(-2 * Math.log(1 - fraction(seed, 2 * n)));
      const normal = radius * Math.cos(2 * Math.PI * fraction(seed, 2 * n + 1));
      return Math.min(spread.max ?? Infinity, spread.median * Math.exp(spread.sigma * normal));
    }
  }
}

/** From 0 to below 1. */
function fraction(seed: number, n: number): number {
  return scramble(seed, n + 1) / 2 ** 32;
}
