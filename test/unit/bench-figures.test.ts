import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arrivals } from '../../bench/arrivals.js';
import { percentiles } from '../../bench/percentiles.js';
import { positionOf, ReadingPlan } from '../../bench/reading-plan.js';
import { steadyRate } from '../../bench/steady-rate.js';

describe('the figures of benchmarks', () => {
  it('rate leaves out the warm-up and the last batch, in whatever order the batches come', () => {
    const slow = [0, 1_000].map((at) => ({ at, readings: 100 }));
    const steady = Array.from({ length: 9 }, (_, index) => ({ at: 2_000 + index * 100, readings: 100 }));
    // 1,100 readings: the warm-up are the first three batches, the rest come every 100 ms.
    expect(steadyRate([...steady, ...slow].reverse())).toBe(1_000);
  });

  it('rate refuses to tell anything from too few batches', () => {
    expect(() => steadyRate([])).toThrow('--readings');
    expect(() => steadyRate([{ at: 5, readings: 1_000 }])).toThrow('--readings');
  });

  it('percentiles of a missing value are infinite', () => {
    expect(percentiles([3, 1, 2, Infinity], [0, 0.5, 1])).toEqual([1, 3, Infinity]);
    expect(percentiles([], [0.5])).toEqual([Infinity]);
  });

  it('a plan holds each reading once, rises per meter, and its values say which reading it is', () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }));
    fc.assert(
      fc.property(sizes, ([meters, perMessage]) => {
        const plan = new ReadingPlan(meters, perMessage, 0, 1_000);
        const latest = new Map<number, { at: number; value: number }>();
        for (let position = 0; position < 3 * meters * perMessage; position++) {
          const { meter, measuredAt, value } = plan.reading(position);
          expect(positionOf(value)).toBe(position);
          const at = Date.parse(measuredAt);
          const before = latest.get(meter);
          expect(at).toBe(before === undefined ? 0 : before.at + 1_000);
          expect(Number(value)).toBeGreaterThan(before?.value ?? -1);
          expect(at).toBeLessThan(plan.lastAt(position + 1));
          latest.set(meter, { at, value: Number(value) });
        }
      }),
    );
  });

  it('arrivals tell what is missing, what came twice and what nobody published', () => {
    const arrivals = new Arrivals(3);
    for (const position of [0, 1, 2]) arrivals.publish(position, 10);
    arrivals.see(0, 15);
    arrivals.see(0, 16);
    arrivals.see(2, 30);
    arrivals.see(7, 30);
    expect(arrivals).toMatchObject({ missing: 1, repeated: 1, strangers: 1 });
    expect([...arrivals.tookFrom(0)]).toEqual([5, Infinity, 20]);
  });
});
