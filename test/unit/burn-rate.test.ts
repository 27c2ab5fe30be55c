import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { burnRateOf, burnSeverityOf, complianceOf, type BurnRates } from '../../src/domain/burn-rate.js';

const share = fc
  .record({ total: fc.integer({ min: 1, max: 1e9 }), part: fc.double({ min: 0, max: 1, noNaN: true }) })
  .map(({ total, part }) => ({ total, good: Math.round(total * part) }));
const target = fc.integer({ min: 1, max: 999_999 }).map((millionths) => millionths / 1e6);

describe('compliance and burn rate', () => {
  it('say nothing where nothing happened', () => {
    expect(complianceOf({ good: 0, total: 0 })).toBeNull();
    expect(burnRateOf({ good: 0, total: 0 }, 0.99)).toBeNull();
  });

  it('are two views of one share: 1 - burn rate × (1 - target) is the compliance', () => {
    fc.assert(
      fc.property(share, target, (share, target) => {
        expect(1 - burnRateOf(share, target)! * (1 - target)).toBeCloseTo(complianceOf(share)!, 9);
      }),
    );
  });

  it('burn is 0 without errors and 1 / (1 - target) where all is wrong', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), target, (total, target) => {
        expect(burnRateOf({ good: total, total }, target)).toBe(0);
        expect(burnRateOf({ good: 0, total }, target)).toBeCloseTo(1 / (1 - target), 6);
      }),
    );
  });

  it('burn is above 1 exactly where the target is missed', () => {
    expect(burnRateOf({ good: 985, total: 1000 }, 0.99)).toBeCloseTo(1.5);
    expect(burnRateOf({ good: 995, total: 1000 }, 0.99)).toBeCloseTo(0.5);
  });
});

describe('the multi-window rule', () => {
  const calm: BurnRates = { '5 minutes': 0, '30 minutes': 0, '1 hour': 0, '6 hours': 0 };

  it('is critical when an hour and its 5 minutes burn above 14.4', () => {
    expect(burnSeverityOf({ ...calm, '1 hour': 14.5, '5 minutes': 14.5 })).toBe('critical');
    expect(burnSeverityOf({ ...calm, '1 hour': 14.4, '5 minutes': 20 })).toBeUndefined();
  });

  it('is a warning when 6 hours and their 30 minutes burn above 6', () => {
    expect(burnSeverityOf({ ...calm, '6 hours': 6.1, '30 minutes': 6.1 })).toBe('warning');
    expect(burnSeverityOf({ ...calm, '6 hours': 6, '30 minutes': 20 })).toBeUndefined();
  });

  it('is over as soon as the short window is calm', () => {
    expect(burnSeverityOf({ ...calm, '1 hour': 50, '6 hours': 50 })).toBeUndefined();
  });

  it('holds on through a short window in which nothing happened, and needs a long one', () => {
    expect(burnSeverityOf({ ...calm, '1 hour': 50, '5 minutes': null })).toBe('critical');
    expect(burnSeverityOf({ ...calm, '1 hour': null, '5 minutes': 50 })).toBeUndefined();
  });

  it('is never better for burning more', () => {
    const rank = { none: 0, warning: 1, critical: 2 };
    const rate = fc.double({ min: 0, max: 100, noNaN: true });
    const rates = fc.record({ '5 minutes': rate, '30 minutes': rate, '1 hour': rate, '6 hours': rate });
    fc.assert(
      fc.property(rates, fc.double({ min: 1, max: 3, noNaN: true }), (rates, factor) => {
        const more = Object.fromEntries(Object.entries(rates).map(([key, value]) => [key, value * factor])) as never;
        expect(rank[burnSeverityOf(more) ?? 'none']).toBeGreaterThanOrEqual(rank[burnSeverityOf(rates) ?? 'none']);
      }),
    );
  });
});
