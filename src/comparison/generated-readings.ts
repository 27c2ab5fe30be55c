import { seededRandom } from '../domain/seeded-random.js';
import type { ReadingSource } from './load.js';

/** A Thursday: the load begins at a fixed moment, so that equal seeds make equal loads. */
const FIRST = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;
/** Most meters of a load; a larger population is represented by these. */
const MAX_METERS = 10_000;
/** Watt of a household by hour of the day: a night, a morning and a long evening. */
const DAY_WATT = [
  180, 160, 150, 150, 155, 190, 320, 480, 430, 340, 310, 320, 360, 330, 300, 310, 380, 540, 690, 720, 650, 520, 380,
  250,
];

/**
 * Index values of electricity meters, interval by interval over all meters: never falling, each meter of a size of its
 * own, in kWh with three digits.
 */
export function generateReadings(options: {
  meters: number;
  intervalSeconds: number;
  readings: number;
  seed: number;
}): ReadingSource {
  const random = seededRandom(options.seed);
  const count = Math.min(options.meters, MAX_METERS, options.readings);
  const sizes = Array.from({ length: count }, () => 0.3 + 2.2 * random());
  const wattHours = Array.from({ length: count }, () => Math.floor(random() * 30_000_000));
  const intervalMs = options.intervalSeconds * 1000;
  const readings = Array.from({ length: options.readings }, (_, n) => {
    const meter = n % count;
    const measuredAt = FIRST + Math.floor(n / count) * intervalMs;
    const watt = DAY_WATT[Math.floor(measuredAt / HOUR_MS) % 24]! * sizes[meter]! * (0.6 + 0.8 * random());
    wattHours[meter]! += Math.round((watt * intervalMs) / HOUR_MS);
    return { meter, measuredAt, value: (wattHours[meter]! / 1000).toFixed(3) };
  });
  return {
    meters: sizes.map((_, meter) => `METER-${String(meter + 1).padStart(5, '0')}`),
    readings,
    intervalSeconds: options.intervalSeconds,
    description: `generated, seed ${options.seed}`,
  };
}
