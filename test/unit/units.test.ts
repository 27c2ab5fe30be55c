import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { knownUnit, powerOfTenBetween } from '../../src/domain/units.js';
import type { RegisterTarget } from '../../src/services/ingest/directory.js';
import { enrichReadings } from '../../src/services/ingest/enrich.js';
import { validateMessage } from '../../src/services/ingest/validate.js';

const UNITS = [
  'Wh',
  'kWh',
  'MWh',
  'J',
  'GJ',
  'l',
  'dm3',
  'm3',
  'hl',
  'mbar',
  'bar',
  'Pa',
  '°C',
  'K',
  'W',
  'var',
  'm³',
  'L',
];

describe('units', () => {
  it.each([
    ['Wh', 'kWh', -3],
    ['MWh', 'kWh', 3],
    ['l', 'm3', -3],
    ['L', 'm³', -3],
    ['mbar', 'bar', -3],
    ['hPa', 'mbar', 0],
    ['MPa', 'bar', 1],
    ['J', 'kWh', undefined],
    ['K', '°C', undefined],
    ['kWh', 'kvarh', undefined],
    ['bushel', 'm3', undefined],
  ])('from %s to %s: ten to the power of %s', (from, to, exponent) => {
    expect(powerOfTenBetween(from, to)).toBe(exponent);
  });

  it('convert back, and over a third one, to the same', () => {
    const unit = fc.constantFrom(...UNITS);
    fc.assert(
      fc.property(unit, unit, unit, (a, b, c) => {
        const ab = powerOfTenBetween(a, b);
        const bc = powerOfTenBetween(b, c);
        if (ab === undefined || bc === undefined) return;
        expect(powerOfTenBetween(b, a)).toBe(0 - ab);
        expect(powerOfTenBetween(a, c)).toBe(ab + bc);
      }),
    );
  });

  it.each(['constructor', 'toString', '__proto__', '', 'kwH '])('does not know %j', (text) => {
    expect(knownUnit(text)).toBeUndefined();
  });
});

describe('a reading in another unit than its series', () => {
  const target = (unit: string | null, factor?: string): RegisterTarget => ({
    register: 1,
    meter: 'm',
    series: 's',
    unit,
    factor,
    stays: [],
    watermark: -Infinity,
  });
  const enriched = (unit: string | undefined, register: RegisterTarget) => {
    const item = { series: 's', timestamp: '2026-01-01T00:00:00Z', value: '1500', unit };
    const arrival = {
      body: Buffer.from(JSON.stringify({ meter: 'm', ...item })),
      redelivered: false,
      messageId: undefined,
      publishedAt: undefined,
      headers: {},
    };
    const { readings } = validateMessage(arrival, { oldest: 0, newest: Infinity }, Date.now());
    const { known, rejections } = enrichReadings(readings, [register]);
    return rejections[0]?.reason ?? { value: known[0]!.value, raw: known[0]!.rawValue };
  };

  it.each([
    ['kWh', target('kWh'), { value: '1500', raw: undefined }],
    [undefined, target('kWh'), { value: '1500', raw: undefined }],
    ['Wh', target('kWh'), { value: '1.500', raw: undefined }],
    ['Wh', target('kWh', '40'), { value: '60.000', raw: '1.500' }],
    ['MWh', target('kWh'), { value: '1500000', raw: undefined }],
    ['Wh', target(null), { value: '1500', raw: undefined }],
    ['parsec', target('parsec'), { value: '1500', raw: undefined }],
    ['parsec', target(null), expect.stringMatching(/^unit: "parsec" is no known unit/)],
    ['m3', target('kWh'), expect.stringMatching(/^unit: "m3" does not convert to kWh, the unit of series s/)],
  ])('%s, %o', (unit, register, expected) => {
    expect(enriched(unit, register)).toEqual(expected);
  });
});
