import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decimalProduct } from '../../src/domain/decimal-product.js';
import { LocalClock } from '../../src/domain/local-clock.js';
import { instantsOf, zoneOffset } from '../../src/domain/zone-offset.js';

const MINUTE = 60_000;
const QUARTER = 15 * MINUTE;
const ZONES = ['Europe/Amsterdam', 'Europe/London', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC'];
const FROM = Date.UTC(2000, 0, 2);
const TO = Date.UTC(2037, 11, 30);

/** Another way to a wall clock than the code's: the text that Intl writes. */
const texts = new Map<string, Intl.DateTimeFormat>();
function wallOf(zone: string, instant: number): number {
  let format = texts.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
    texts.set(zone, format);
  }
  return Date.parse(`${format.format(instant).replace(' ', 'T')}Z`);
}

/** Spans of three days around every change of the clock, and others. */
const start = fc.oneof(
  fc.integer({ min: FROM / QUARTER, max: TO / QUARTER }).map((quarters) => quarters * QUARTER),
  fc
    .record({
      year: fc.integer({ min: 2000, max: 2037 }),
      month: fc.constantFrom(2, 3, 9, 10),
      day: fc.integer({ min: 1, max: 31 }),
      hour: fc.integer({ min: 0, max: 23 }),
    })
    .map(({ year, month, day, hour }) => Date.UTC(year, month, day, hour)),
);

describe('a local clock', () => {
  it.each(ZONES)('gives back the instants of a file whose times rise or fall, in %s', (zone) => {
    fc.assert(
      fc.property(start, fc.boolean(), (from, falls) => {
        const instants = Array.from({ length: 3 * 96 }, (_, index) => from + index * QUARTER);
        // A file that begins within the repeated hour cannot tell its order.
        while (instantsOf(zoneOffset(zone), wallOf(zone, instants[0]!)).length > 1) instants.shift();
        while (instantsOf(zoneOffset(zone), wallOf(zone, instants.at(-1)!)).length > 1) instants.pop();
        if (falls) instants.reverse();
        const clock = new LocalClock(zone);
        expect(instants.map((instant) => clock.instantOf('r', wallOf(zone, instant)))).toEqual(instants);
      }),
      { numRuns: 150 },
    );
  });

  it('takes each time of the repeated hour twice in a row, or the hour as a whole, by register', () => {
    const at = (hour: number, minute = 0) => Date.UTC(2021, 9, 31, hour, minute);
    const inRow = new LocalClock('Europe/Brussels');
    const whole = new LocalClock('Europe/Brussels');
    const utc = (hour: number, minute = 0) => Date.UTC(2021, 9, 31, hour, minute);
    expect([at(1), at(2), at(2), at(2, 30), at(2, 30), at(3)].map((wall) => inRow.instantOf('a', wall))).toEqual([
      Date.UTC(2021, 9, 30, 23),
      utc(0),
      utc(1),
      utc(0, 30),
      utc(1, 30),
      utc(2),
    ]);
    expect(inRow.instantOf('b', at(2))).toBe(utc(0));
    expect([at(2), at(2, 30), at(2), at(2, 30), at(2)].map((wall) => whole.instantOf('a', wall))).toEqual([
      utc(0),
      utc(0, 30),
      utc(1),
      utc(1, 30),
      'repeated',
    ]);
  });

  it('knows the hour that spring skips', () => {
    const clock = new LocalClock('Europe/Amsterdam');
    expect(clock.instantOf('r', Date.UTC(2025, 2, 30, 1, 45))).toBe(Date.UTC(2025, 2, 30, 0, 45));
    expect(clock.instantOf('r', Date.UTC(2025, 2, 30, 2, 15))).toBe('skipped');
    expect(clock.instantOf('r', Date.UTC(2025, 2, 30, 3))).toBe(Date.UTC(2025, 2, 30, 1));
  });
});

it('multiplies decimals exactly', () => {
  const scaled = fc.tuple(fc.bigInt(-(10n ** 15n), 10n ** 15n), fc.integer({ min: 0, max: 9 }));
  const text = ([digits, scale]: [bigint, number]) => {
    const magnitude = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0');
    const point = magnitude.length - scale;
    return `${digits < 0n ? '-' : ''}${magnitude.slice(0, point)}${scale > 0 ? `.${magnitude.slice(point)}` : ''}`;
  };
  fc.assert(
    fc.property(scaled, scaled, (a, b) => {
      const [whole = '', fraction = ''] = decimalProduct(text(a), text(b)).split('.');
      expect(BigInt(whole + fraction) * 10n ** BigInt(a[1] + b[1] - fraction.length)).toBe(a[0] * b[0]);
    }),
  );
  expect(decimalProduct('35089902', '0.001')).toBe('35089.902');
  expect(decimalProduct('-0.5', '0')).toBe('0');
});
