import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArchiveMemory } from '../../src/simulators/archive-memory.js';
import { COUNTERS_START_MS, LoadCurve } from '../../src/simulators/load-curve.js';

const HOUR_MS = 3_600_000;
const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const instants = fc.integer({ min: COUNTERS_START_MS, max: Date.UTC(2045, 0, 1) });

describe('load curve', () => {
  it('never lets a counter fall', () => {
    fc.assert(
      fc.property(seeds, instants, instants, (seed, a, b) => {
        const curve = new LoadCurve(seed);
        const [earlier, later] = [Math.min(a, b), Math.max(a, b)];
        expect(curve.actualTicks(later)).toBeGreaterThanOrEqual(curve.actualTicks(earlier));
        expect(curve.baseTicks(later)).toBeGreaterThanOrEqual(curve.baseTicks(earlier));
      }),
    );
  });

  it('rises through every hour of three years, over the seams of the sample too', () => {
    const curve = new LoadCurve(7);
    let before = curve.baseTicks(Date.UTC(2024, 0, 1));
    for (let hour = 1; hour <= 3 * 8766; hour++) {
      const ticks = curve.baseTicks(Date.UTC(2024, 0, 1) + hour * HOUR_MS);
      expect(ticks).toBeGreaterThan(before);
      before = ticks;
    }
  });

  it('counts whole ticks that depend on nothing but seed and instant', () => {
    fc.assert(
      fc.property(seeds, instants, (seed, at) => {
        const ticks = new LoadCurve(seed).actualTicks(at);
        expect(Number.isSafeInteger(ticks)).toBe(true);
        expect(new LoadCurve(seed).actualTicks(at)).toBe(ticks);
      }),
    );
    expect(new LoadCurve(1).baseTicks(Date.UTC(2026, 0, 1))).not.toBe(new LoadCurve(2).baseTicks(Date.UTC(2026, 0, 1)));
  });

  it('repeats after 52 weeks, when weekday and season are the same again', () => {
    const curve = new LoadCurve(3);
    const at = Date.UTC(2025, 0, 15, 7);
    const consumption = (end: number) => curve.actualTicks(end) - curve.actualTicks(end - HOUR_MS);
    // One tick of rounding: the scaled sums start from another value.
    expect(Math.abs(consumption(at + 364 * 24 * HOUR_MS) - consumption(at))).toBeLessThanOrEqual(1);
    expect(curve.conditions(at + 364 * 24 * HOUR_MS)).toEqual(curve.conditions(at));
  });

  it('burns several times more in January than in July, as the sampled household does', () => {
    const curve = new LoadCurve(11);
    const month = (index: number) =>
      curve.baseTicks(Date.UTC(2025, index + 1, 1)) - curve.baseTicks(Date.UTC(2025, index, 1));
    expect(month(0)).toBeGreaterThan(4 * month(6));
  });

  it('converts each hour by the factor C that it shows at its end', () => {
    const curve = new LoadCurve(5);
    // Half a tick of the unscaled sample is at most ten here, and each of four cut sums may lose one.
    const roundingTicks = 14;
    for (let end = Date.UTC(2025, 0, 6); end < Date.UTC(2025, 0, 13); end += HOUR_MS) {
      const actual = curve.actualTicks(end) - curve.actualTicks(end - HOUR_MS);
      const base = curve.baseTicks(end) - curve.baseTicks(end - HOUR_MS);
      const converted = (actual * curve.conditions(end).conversion) / 100_000;
      expect(Math.abs(base - converted)).toBeLessThanOrEqual(roundingTicks);
    }
  });
});

describe('archive rows', () => {
  it('agree in every cell at the full hour, whichever archive they are in', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 200_000 }), (seed, days) => {
        const memory = new ArchiveMemory({
          curve: new LoadCurve(seed),
          utcOffsetMs: HOUR_MS,
          installedLocalMs: COUNTERS_START_MS,
          minuteArchive: true,
        });
        const localMs = COUNTERS_START_MS + (days % 9000) * 24 * HOUR_MS + 7 * HOUR_MS;
        const measured = (number: number) => {
          const archive = memory.archive(number);
          const row = memory.row(archive, memory.newest(archive, localMs));
          return [
            row.localMs,
            ...archive.columns.filter((column) => column.measurement).map((column) => column.text(row)),
          ];
        };
        expect(measured(13)).toEqual(measured(3));
        expect(measured(7)).toEqual(measured(3));
      }),
      { numRuns: 50 },
    );
  });

  it('are numbered without gap or repeat over all archives, in the order they are written', () => {
    const installedLocalMs = Date.UTC(2026, 0, 31, 3, 30);
    const memory = new ArchiveMemory({
      curve: new LoadCurve(1),
      utcOffsetMs: HOUR_MS,
      installedLocalMs,
      minuteArchive: true,
    });
    const until = Date.UTC(2026, 1, 2, 7);
    const numbers = memory.numbers.flatMap((number) => {
      const archive = memory.archive(number);
      return Array.from({ length: memory.newest(archive, until) }, (_, i) => memory.row(archive, i + 1).globalOrder());
    });
    numbers.sort((a, b) => a - b);
    expect(numbers.length).toBeGreaterThan(3000);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
  });
});
