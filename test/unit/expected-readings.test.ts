import { describe, expect, it } from 'vitest';
import { divideDecimal } from '../../src/domain/decimal.js';
import { expectedReadings, rhythmOf } from '../../src/domain/expected-readings.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe('expected readings', () => {
  it('count the points of the grid, at whose end of the bucket they belong', () => {
    const quarters = rhythmOf(900_000, 5 * DAY)!;
    expect(expectedReadings(quarters, { start: 0, end: 23 * HOUR }, true)).toBe(92);
    expect(expectedReadings(quarters, { start: 0, end: 25 * HOUR }, false)).toBe(100);
    const hourly = rhythmOf(HOUR, 5 * DAY)!;
    const quarter = (n: number) => ({ start: n * 900_000, end: (n + 1) * 900_000 });
    expect([0, 1, 2, 3].map((n) => expectedReadings(hourly, quarter(n), true))).toEqual([0, 0, 0, 1]);
    expect([0, 1, 2, 3].map((n) => expectedReadings(hourly, quarter(n), false))).toEqual([1, 0, 0, 0]);
  });

  it('are one for each day of 23 or 25 hours and each month of 28 or 31 days', () => {
    const daily = rhythmOf(DAY, 0)!;
    const monthly = rhythmOf(31 * DAY, 0)!;
    for (const hours of [23, 24, 25]) expect(expectedReadings(daily, { start: 0, end: hours * HOUR }, true)).toBe(1);
    for (const days of [28, 30, 31]) expect(expectedReadings(monthly, { start: 0, end: days * DAY }, true)).toBe(1);
    expect(expectedReadings(monthly, { start: 0, end: 365 * DAY }, true)).toBe(12);
  });

  it('see through the seconds that polls are late, and know no rhythm of nothing', () => {
    expect(rhythmOf(898_700, 7)).toEqual({ intervalMs: 900_000, phaseMs: 7 });
    expect(rhythmOf(0, 7)).toBeUndefined();
  });
});

it.each([
  ['10', 4, '2.5'],
  ['1', 3, '0.3333333333'],
  ['-2', 3, '-0.6666666667'],
  ['0.00000000015', 3, '0.0000000001'],
  ['99999999999999999999999999999999999999.5', 1, '99999999999999999999999999999999999999.5'],
])('divides %s by %d to %s', (dividend, divisor, quotient) => {
  expect(divideDecimal(dividend, divisor, 10)).toBe(quotient);
});
