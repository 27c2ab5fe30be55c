import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bundler } from '../../src/import/bundler.js';
import { importFile } from '../../src/import/import-file.js';
import type { Destination, ImportMessage } from '../../src/import/delivery.js';
import { numberParser } from '../../src/import/number-format.js';
import { builtInProfiles, loadProfile, parseProfile, profileSchema } from '../../src/import/profiles.js';
import { RowReader, type ImportedReading, type RowError } from '../../src/import/row-reader.js';

const sample = (name: string) => fileURLToPath(new URL(`../vectors/imports/${name}`, import.meta.url));

async function imported(name: string, file: string, meter?: string) {
  const messages: ImportMessage[] = [];
  const errors: { line: number; error: RowError }[] = [];
  const destination: Destination = {
    description: 'a list',
    maxInFlight: 4,
    meet: async () => undefined,
    send: async (message) => void messages.push(message),
    isPassing: () => false,
    close: async () => undefined,
  };
  const counts = await importFile({
    file: sample(file),
    profile: loadProfile(name),
    meter,
    identity: { digest: '0'.repeat(64), settings: 's', collectedAt: '2026-01-31T00:00:00.000Z' },
    destination,
    signal: new AbortController().signal,
    onError: (line, error) => void errors.push({ line, error }),
  });
  const readings = messages.flatMap(({ meter: of, readings }) =>
    readings.map(({ series, timestamp, value, unit, status }) =>
      [of, series, timestamp, value, unit, status ?? 0].join(' '),
    ),
  );
  return { counts, errors, readings: readings.sort(), messages };
}

/** The lines of a sample as cells, split by hand: none of them has a separator within quotes. */
function cells(file: string, separator: string): string[][] {
  const bytes = readFileSync(sample(file));
  const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').replace('\uFEFF', '');
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  return lines.slice(1).map((line) => line.split(separator).map((cell) => cell.replace(/^="|^"|"$/g, '')));
}

const HOUR = 3_600_000;
const iso = (ms: number) => new Date(ms).toISOString();
/** Equal numbers, equal text. Cuts zeros at the end only. */
const plain = (text: string) => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
/** European local time by the rule itself; `again` is the second time round in the repeated hour. */
function european(text: string, again = false): number {
  const wall = Date.parse(`${text.replace(' ', 'T')}${text.length === 16 ? ':00' : ''}Z`);
  const year = new Date(wall).getUTCFullYear();
  const sunday = (month: number) => {
    const last = new Date(Date.UTC(year, month, 31));
    return last.getTime() - last.getUTCDay() * 24 * HOUR + HOUR;
  };
  const summer = wall - 2 * HOUR;
  return summer >= sunday(2) && summer < sunday(9) && !again ? summer : wall - HOUR;
}

const hourly = (text: string) => iso(Date.parse(text) + HOUR);
const EXPECTED: Record<string, { file: string; meter?: string; readings: () => string[] }> = {
  'london-lcl': {
    file: 'london-lcl.csv.gz',
    readings: () =>
      cells('london-lcl.csv.gz', ',').map(
        ([meter, time, kwh]) => `${meter} 1-0:1.29.0 ${time!.replace(' ', 'T')}.000Z ${plain(kwh!)} kWh 0`,
      ),
  },
  'engie-nl-hourly': {
    file: 'engie-nl-hourly.csv',
    readings: () =>
      cells('engie-nl-hourly.csv', '","').map(([time, ean, value, type]) =>
        type === 'Gas'
          ? `${ean} gas.volume.interval ${hourly(time!)} ${plain(value!)} m3 0`
          : `${ean} 1-0:1.29.0 ${hourly(time!)} ${plain(value!)} kWh 0`,
      ),
  },
  'dsmr-reader-hourly': {
    file: 'dsmr-reader-hourly.csv',
    meter: 'H',
    readings: () =>
      cells('dsmr-reader-hourly.csv', ',').flatMap(([time, ...values]) =>
        ['1-0:1.29.1', '1-0:1.29.2', '1-0:2.29.1', '1-0:2.29.2', 'gas.volume.interval'].map(
          (series, index) => `H ${series} ${hourly(time!)} ${plain(values[index]!)} ${index === 4 ? 'm3' : 'kWh'} 0`,
        ),
      ),
  },
  'em-nl-15min': {
    file: 'em-nl-15min.csv',
    readings: () =>
      cells('em-nl-15min.csv', ';').map(([, ean, code, unix, , value]) => {
        const kwh = plain(`${value!.slice(0, -3)}.${value!.slice(-3)}`);
        return `${ean} ${code === 'ellm' ? '1-0:1.8.0' : '1-0:2.8.0'} ${iso(Number(unix) * 1000)} ${kwh} kWh 0`;
      }),
  },
  'homewizard-electricity': {
    file: 'homewizard-electricity.csv',
    meter: 'H',
    readings: () =>
      cells('homewizard-electricity.csv', ',').flatMap(([time, ...values]) =>
        ['1.8.1', '1.8.2', '2.8.1', '2.8.2'].map(
          (code, index) => `H 1-0:${code} ${iso(european(time!))} ${plain(values[index]!)} kWh 0`,
        ),
      ),
  },
  'homewizard-gas': {
    file: 'homewizard-gas.csv',
    meter: 'H',
    readings: () =>
      cells('homewizard-gas.csv', ',')
        .filter(([, value]) => value !== '')
        .map(([time, value]) => `H 7-0:3.0.0 ${iso(european(time!))} ${plain(value!)} m3 0`),
  },
  'homewizard-water': {
    file: 'homewizard-water.csv',
    meter: 'H',
    readings: () =>
      cells('homewizard-water.csv', ',').map(([time, value]) => {
        const digits = value!.padStart(5, '0');
        return `H 8-0:1.0.0 ${iso(european(time!))} ${plain(`${digits.slice(0, -4)}.${digits.slice(-4)}`)} m3 0`;
      }),
  },
  'fluvius-electricity': {
    file: 'fluvius-electricity.csv.gz',
    readings: () => fluvius('fluvius-electricity.csv.gz', 15 * 60_000),
  },
  'fluvius-gas': { file: 'fluvius-gas.csv', readings: () => fluvius('fluvius-gas.csv', HOUR) },
};

function fluvius(file: string, intervalMs: number): string[] {
  const codes: Record<string, string> = {
    ...{ 'Afname Dag': '1-0:1.29.1', 'Afname Nacht': '1-0:1.29.2', 'Injectie Dag': '1-0:2.29.1' },
    ...{ 'Injectie Nacht': '1-0:2.29.2', 'Offtake m³': 'gas.volume.interval', 'Offtake kWh': 'gas.energy.interval' },
  };
  const seen = new Set<string>();
  return cells(file, ';').flatMap(([date, time, , , , meter, , register, volume, unit, status]) => {
    const key = `${date} ${time} ${register} ${unit}`;
    const again = seen.has(key);
    seen.add(key);
    if (volume === '') return [];
    const [day, month, year] = date!.split(/[-/]/);
    const at = iso(european(`${year}-${month}-${day} ${time}`, again) + intervalMs);
    const series = codes[register!] ?? codes[`${register} ${unit}`];
    return [
      `${meter} ${series} ${at} ${plain(volume!.replace(',', '.'))} ${unit!.replace('³', '3')} ${status === 'Geschat' ? 8 : 0}`,
    ];
  });
}

describe('built-in import profiles', () => {
  it('have a sample each', () => expect(Object.keys(EXPECTED).sort()).toEqual(builtInProfiles()));

  it.each(Object.keys(EXPECTED))('%s reads exactly what the file says', async (name) => {
    const { file, meter, readings } = EXPECTED[name]!;
    const found = await imported(name, file, meter);
    expect(found.errors).toEqual([]);
    const expected = readings().sort();
    expect(expected.length).toBeGreaterThan(15);
    expect(found.readings).toEqual(expected);
  });

  it('read the repeated hour of local time as the Unix time beside it says', () => {
    const profile = loadProfile('em-nl-15min');
    profile.timestamp = {
      columns: ['moment-date'],
      format: 'YYYY-MM-DD HH:mm:ss',
      zone: 'Europe/Amsterdam',
      marks: 'instant',
    };
    const reader = new RowReader(profile, 'name;ean;code;moment;moment-date;value;factor;type'.split(';'));
    const rows = cells('em-nl-15min.csv', ';');
    expect(rows.filter(([, , , , local]) => local === '2025-10-26 02:15:00')).toHaveLength(2);
    for (const row of rows) expect(reader.read(row).readings[0]!.measuredAt).toBe(Number(row[3]) * 1000);
  });

  it('have a JSON Schema that is current', () => {
    const file = new URL('../../src/import/profiles/schema/import-profile.schema.json', import.meta.url);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(profileSchema());
  });
});

describe('a profile', () => {
  const PROFILE = {
    description: 'test',
    meter: { template: '{site}/{ean}' },
    timestamp: { columns: ['time'], format: 'YYYY-MM-DD HH:mm', zone: 'Europe/Amsterdam', marks: 'instant' },
    numbers: { decimal: ',', thousands: '.' },
    values: [{ column: 'v', series: { constant: 's' } }],
    only: [{ column: 'site', in: ['A'] }],
  };
  const HEADER = ['time', 'site', 'ean', 'v'];
  const read = (row: string[]) => new RowReader(parseProfile(JSON.stringify(PROFILE), 'p'), HEADER).read(row);

  it('joins columns to a name, reads thousands, and leaves rows out', () => {
    expect(read(['2025-01-01 00:00', 'A', '="0042"', '1.234,50']).readings[0]).toMatchObject({
      meter: 'A/0042',
      value: '1234.5',
    });
    expect(read(['2025-01-01 00:00', 'B', '42', '1'])).toMatchObject({ isLeftOut: true, readings: [], errors: [] });
  });

  it.each([
    [['2025-03-30 02:30', 'A', '1', '1'], /does not exist in Europe\/Amsterdam.*timestamp\.zone/],
    [['2025-02-30 02:30', 'A', '1', '1'], /is no time of the form YYYY-MM-DD HH:mm/],
    [['2025-03-30 04:30', 'A', '1', '1e3'], /is no number such as "9000,125"/],
    [['2025-03-30 04:30', 'A', '1', '1.5'], /is no number/],
    [['2025-03-30 04:30', 'A', '', '1'], /is not part of a name/],
    [['2025-03-30 04:30', 'A', '1', '1', '5'], /has 5 columns, the header 4.*quotes/],
  ])('refuses the row %j with the cure', (row, problem) => {
    const { readings, errors } = read(row);
    expect(readings).toEqual([]);
    expect(errors).toHaveLength(1);
    expect(errors[0]!.problem).toMatch(problem);
  });

  it.each([
    ['{', /is not JSON/],
    [
      JSON.stringify({ ...PROFILE, timestamp: { ...PROFILE.timestamp, zone: 'Europe/Amsterdm' } }),
      /timestamp\.zone: must be an IANA zone/,
    ],
    [
      JSON.stringify({ ...PROFILE, timestamp: { ...PROFILE.timestamp, format: 'YYYY-MM' } }),
      /timestamp\.format: must be "iso"/,
    ],
    [
      JSON.stringify({ ...PROFILE, timestamp: { ...PROFILE.timestamp, marks: 'start' } }),
      /intervalSeconds: is needed with marks "start"/,
    ],
    [JSON.stringify({ ...PROFILE, seperator: ';' }), /Unrecognized key: "seperator"/],
  ])('that is wrong is refused with the place: %s', (text, told) =>
    expect(() => parseProfile(text, 'p.json')).toThrow(told),
  );

  it('whose columns the file lacks is refused with those it has', () => {
    expect(() => new RowReader(parseProfile(JSON.stringify(PROFILE), 'p'), ['time', 'v'])).toThrow(
      /lacks "site", "ean" of the profile; its columns are "time", "v"/,
    );
  });
});

it('numbers with thousands are taken in groups of three only', () => {
  const parse = numberParser({ decimal: '.', thousands: ',' });
  expect(['1,234.5', '1234.5', '12,34', '1,2345', '1,234,567'].map(parse)).toEqual([
    '1234.5',
    '1234.5',
    undefined,
    undefined,
    '1234567',
  ]);
});

it('bundles keep all readings, the order of each meter, and their bounds', () => {
  const meters = fc.array(fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 3 }), { maxLength: 60 });
  fc.assert(
    fc.property(meters, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 9 }), (rows, perBundle, waiting) => {
      const bundler = new Bundler(perBundle, waiting);
      const reading = (meter: string, row: number) => ({ meter, series: String(row) }) as ImportedReading;
      const bundles = rows.flatMap((of, row) =>
        bundler.add(
          row + 1,
          of.map((meter) => reading(meter, row + 1)),
        ),
      );
      bundles.push(...bundler.rest(rows.length));
      expect(bundles.map(({ index }) => index)).toEqual(bundles.map((_, index) => index));
      for (const meter of 'abcd') {
        const expected = rows.flatMap((of, row) => of.filter((name) => name === meter).map(() => String(row + 1)));
        const found = bundles.filter((bundle) => bundle.meter === meter).flatMap(({ readings }) => readings);
        expect(found.map(({ series }) => series)).toEqual(expected);
      }
      bundles.forEach(({ readings, rowsComplete }, index) => {
        expect(readings.length).toBeLessThanOrEqual(perBundle);
        const later = bundles.slice(index + 1).flatMap((bundle) => bundle.readings.map(({ series }) => Number(series)));
        expect(Math.min(...later)).toBeGreaterThan(rowsComplete);
      });
    }),
  );
});
