import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { oldestAccepted } from '../../src/domain/oldest-accepted.js';

const at = (text: string) => Date.parse(text);

describe('the oldest reading that is accepted', () => {
  it.each([
    ['2000-01-01T00:00:00Z', undefined, '2026-11-22T10:00:00Z', '2000-01-01T00:00:00Z'],
    ['2000-01-01T00:00:00Z', 31, '2026-11-22T10:00:00Z', '2026-10-01T00:00:00Z'],
    ['2000-01-01T00:00:00Z', 365, '2026-03-01T00:00:00Z', '2025-03-01T00:00:00Z'],
    ['2026-11-01T00:00:00Z', 365, '2026-11-22T10:00:00Z', '2026-11-01T00:00:00Z'],
    ['2000-01-01T00:00:00Z', 36_500, '2026-11-22T10:00:00Z', '2000-01-01T00:00:00Z'],
  ])('from %s on, kept %s days, at %s: %s', (oldest, readingsKeptDays, now, expected) => {
    const oldestReading = at(oldest);
    expect(oldestAccepted({ oldestReading, readingsKeptDays }, at(now))).toBe(at(expected));
  });

  it('is never within the days that are kept, and never goes back', () => {
    const instant = fc.integer({ min: at('2001-01-01T00:00:00Z'), max: at('2100-01-01T00:00:00Z') });
    fc.assert(
      fc.property(instant, instant, fc.integer({ min: 31, max: 5000 }), (a, b, readingsKeptDays) => {
        const settings = { oldestReading: 0, readingsKeptDays };
        const [earlier, later] = [Math.min(a, b), Math.max(a, b)];
        expect(oldestAccepted(settings, later)).toBeLessThanOrEqual(later - readingsKeptDays * 86_400_000);
        expect(oldestAccepted(settings, earlier)).toBeLessThanOrEqual(oldestAccepted(settings, later));
      }),
    );
  });
});
