import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { readCsv, type CsvOptions } from '../../src/comparison/csv-readings.js';
import { disturb, MAX_DISTANCE, type DisturbanceShares } from '../../src/comparison/disturb.js';
import { differences, expectedState } from '../../src/comparison/expected-state.js';
import { generateReadings } from '../../src/comparison/generated-readings.js';
import type { Load, LoadMessage } from '../../src/comparison/load.js';
import { encodeMessage, toMessages } from '../../src/comparison/messages.js';
import { countInversions, percentiles } from '../../src/comparison/order.js';
import { wallTimeReader } from '../../src/comparison/wall-time.js';
import { seededRandom } from '../../src/domain/seeded-random.js';
import { validateMessage, type Arrival } from '../../src/services/ingest/validate.js';

/** As an ingester with the usual settings takes it. */
const validate = (body: Buffer, now: number) => {
  const arrival: Arrival = { body, messageId: undefined, publishedAt: undefined, headers: {}, redelivered: false };
  return validateMessage(arrival, { oldest: Date.UTC(2000, 0, 1), newest: now }, now);
};

const CALM: DisturbanceShares = { shuffle: 0, duplicates: 0, late: 0, poison: 0 };
const share = (max: number) => fc.integer({ min: 0, max: 100 }).map((part) => (part / 100) * max);
const settings = fc.record({
  meters: fc.integer({ min: 1, max: 12 }),
  intervalSeconds: fc.constantFrom(60, 900, 86_400),
  readings: fc.integer({ min: 1, max: 400 }),
  seed: fc.integer({ min: 0, max: 1e6 }),
});

function build(options: { meters: number; intervalSeconds: number; readings: number; seed: number }, perMessage = 1) {
  const source = generateReadings(options);
  return { source, messages: toMessages(source, perMessage, seededRandom(options.seed)) };
}

describe('a generated load', () => {
  it('is made of values that never fall, equal for equal seeds', () => {
    fc.assert(
      fc.property(settings, (options) => {
        const { readings, meters } = generateReadings(options);
        expect(readings).toHaveLength(options.readings);
        expect(meters).toHaveLength(Math.min(options.meters, options.readings));
        expect(generateReadings(options).readings).toEqual(readings);
        const last = new Map<number, { measuredAt: number; value: string }>();
        for (const { meter, measuredAt, value } of readings) {
          const before = last.get(meter);
          if (before) {
            expect(measuredAt - before.measuredAt).toBe(options.intervalSeconds * 1000);
            expect(Number(value)).toBeGreaterThanOrEqual(Number(before.value));
          }
          last.set(meter, { measuredAt, value });
        }
      }),
      { numRuns: 50 },
    );
  });

  it('keeps every reading once, in order per meter, in messages of one meter', () => {
    fc.assert(
      fc.property(settings, fc.integer({ min: 1, max: 7 }), (options, perMessage) => {
        const { source, messages } = build(options, perMessage);
        for (const { readings } of messages) {
          expect(readings.length).toBeLessThanOrEqual(perMessage);
          expect(new Set(readings.map(({ meter }) => meter)).size).toBe(1);
        }
        const ofMeter = (readings: readonly { meter: number }[], meter: number) =>
          readings.filter((reading) => reading.meter === meter);
        const sent = messages.flatMap(({ readings }) => readings);
        source.meters.forEach((_, meter) => expect(ofMeter(sent, meter)).toEqual(ofMeter(source.readings, meter)));
      }),
      { numRuns: 50 },
    );
  });
});

describe('disturbances', () => {
  const disturbed = (messages: readonly LoadMessage[], shares: Partial<DisturbanceShares>, seed = 7) =>
    disturb(messages, { ...CALM, ...shares }, ['A', 'B'], seededRandom(seed));

  it('leave everything in place where none is asked for', () => {
    const { messages } = build({ meters: 5, intervalSeconds: 900, readings: 200, seed: 1 });
    expect(disturbed(messages, {}).messages).toEqual(messages);
  });

  it('are exactly the shares asked for, lose nothing, and are equal for equal seeds', () => {
    fc.assert(
      fc.property(settings, share(0.7), share(1), share(1), (options, shuffle, duplicates, poison) => {
        const { messages } = build(options);
        const result = disturbed(messages, { shuffle, duplicates, poison }, options.seed);
        const exact = (part: number) => Math.round(part * messages.length);
        expect(result.disturbances).toEqual({
          shuffled: exact(shuffle),
          duplicates: exact(duplicates),
          late: 0,
          poison: exact(poison),
        });
        expect(disturbed(messages, { shuffle, duplicates, poison }, options.seed)).toEqual(result);
        const counts = new Map<string, number>();
        for (const { messageId, poison: body } of result.messages)
          if (body === undefined) counts.set(messageId, (counts.get(messageId) ?? 0) + 1);
        expect(counts.size).toBe(messages.length);
        expect([...counts.values()].filter((count) => count === 2)).toHaveLength(exact(duplicates));
        expect(result.messages.filter((message) => message.poison !== undefined)).toHaveLength(exact(poison));
      }),
      { numRuns: 60 },
    );
  });

  it('move by a bounded distance', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), share(0.5), (seed, shuffle) => {
        const { messages } = build({ meters: 10, intervalSeconds: 900, readings: 600, seed });
        const places = new Map(
          disturbed(messages, { shuffle }, seed).messages.map(({ messageId }, at) => [messageId, at]),
        );
        const distances = messages.map(({ messageId }, index) => Math.abs(places.get(messageId)! - index));
        expect(Math.max(...distances)).toBeLessThanOrEqual(2 * MAX_DISTANCE);
        expect(distances.some((distance) => distance > 0)).toBe(Math.round(shuffle * messages.length) > 0);
      }),
      { numRuns: 40 },
    );
  });

  it('deliver exactly the late ones behind the next message of their meter', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), share(0.25), (seed, late) => {
        const { messages } = build({ meters: 4, intervalSeconds: 900, readings: 200, seed });
        const result = disturbed(messages, { late }, seed);
        const wanted = Math.round(late * messages.length);
        expect(result.disturbances.late).toBe(wanted);
        const places = new Map(result.messages.map(({ messageId }, at) => [messageId, at]));
        // The next message of the meter stands four places on.
        const behind = messages.filter((message, index) => {
          const next = messages[index + 4];
          return next && places.get(message.messageId)! > places.get(next.messageId)!;
        });
        expect(behind).toHaveLength(wanted);
      }),
      { numRuns: 60 },
    );
  });

  it('put in nothing but messages of which an ingester refuses every reading', () => {
    const { messages } = build({ meters: 2, intervalSeconds: 900, readings: 100, seed: 1 });
    const poison = disturbed(messages, { poison: 1 }).messages.filter((message) => message.poison !== undefined);
    const now = Date.UTC(2026, 5, 1);
    for (const message of poison) {
      const { readings, rejections } = validate(Buffer.from(message.poison!), now);
      expect([readings.length, rejections.length], message.poison).toEqual([0, 1]);
    }
    expect(new Set(poison.map((message) => message.poison)).size).toBe(100);
  });

  it('are the only ones an ingester refuses', () => {
    const { source, messages } = build({ meters: 2, intervalSeconds: 900, readings: 50, seed: 1 }, 10);
    const load: Load = {
      ...source,
      series: 'S',
      unit: 'kWh',
      messages,
      disturbances: disturbed(messages, {}).disturbances,
    };
    const checked = messages.map((message) => validate(encodeMessage(load, message), Date.UTC(2027, 0, 1)));
    expect(checked.flatMap(({ rejections }) => rejections)).toEqual([]);
    expect(checked.flatMap(({ readings }) => readings)).toHaveLength(50);
  });
});

describe('the expected state', () => {
  const load = { meters: ['A', 'B'], series: 'S' } as unknown as Load;
  const at = (value: string, messageId: string, meter = 0): LoadMessage => ({
    messageId,
    readings: [{ meter, measuredAt: 1_000, value }],
  });

  it('does not depend on the order, nor on how often a message comes', () => {
    const messages = [at('1', 'b'), at('1.0', 'a'), at('2', 'c'), at('2', 'd', 1), at('3', 'e', 1)];
    const whole = expectedState(load, messages);
    expect(whole).toMatchObject({ stored: 2, revisions: 2, deadLettered: 0, staged: 0 });
    fc.assert(
      fc.property(fc.shuffledSubarray(messages, { minLength: messages.length }), (shuffled) => {
        expect(expectedState(load, [...shuffled, ...messages])).toEqual(whole);
      }),
    );
  });

  it('keeps the value that was collected first, by message id, and tells what differs', () => {
    const first = expectedState(load, [at('1', 'a')]);
    const both = expectedState(load, [at('2', 'b'), at('1', 'a')]);
    expect(both.digest).toBe(first.digest);
    expect(differences(first, both)).toEqual(['revisions: expected 0, found 1']);
    expect(differences(first, expectedState(load, [at('2', 'a')]))).toEqual([
      'the values stored are not those expected',
    ]);
    expect(differences(first, first)).toEqual([]);
  });
});

describe('orders and percentiles', () => {
  it('count readings that were committed before one published earlier', () => {
    const places = [
      { meter: 0, published: 0, committed: 3 },
      { meter: 1, published: 1, committed: 1 },
      { meter: 0, published: 2, committed: 3 },
      { meter: 0, published: 3, committed: 2 },
    ];
    expect(countInversions(places)).toEqual({ perMeter: 1, overall: 2 });
    expect(countInversions(places.slice().reverse())).toEqual({ perMeter: 1, overall: 2 });
  });

  it('agree with a search of all pairs', () => {
    const place = fc.record({ meter: fc.integer({ min: 0, max: 2 }), committed: fc.integer({ min: 0, max: 5 }) });
    fc.assert(
      fc.property(fc.array(place, { maxLength: 25 }), (list) => {
        const places = list.map((item, published) => ({ ...item, published }));
        const count = (isSame: (a: { meter: number }, b: { meter: number }) => boolean) =>
          places.filter((late) =>
            places.some(
              (early) => isSame(early, late) && early.published < late.published && early.committed > late.committed,
            ),
          ).length;
        expect(countInversions(places)).toEqual({
          perMeter: count((a, b) => a.meter === b.meter),
          overall: count(() => true),
        });
      }),
    );
  });

  it('are by nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, n) => 100 - n);
    expect(percentiles(values)).toEqual({ p50: 50, p95: 95, p99: 99, max: 100 });
    expect(percentiles([7])).toEqual({ p50: 7, p95: 7, p99: 7, max: 7 });
    expect(percentiles([])).toBeUndefined();
  });
});

describe('a CSV file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'amr-csv-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const read = (content: string | Buffer, options: Partial<CsvOptions> = {}, name = 'x.csv') => {
    const file = join(folder, name);
    writeFileSync(file, content);
    return readCsv(file, { readings: 1_000, ...options });
  };
  const LONDON =
    'meter_id,interval_ts,kwh\nMAC1,2013-01-01 00:00:00,0.219\nMAC1,2013-01-01 00:30:00,\nMAC1,2013-01-01 01:00:00,0.191\nMAC2,2013-01-01 00:00:00,1\nMAC2,2013-01-01 00:30:00,2\nMAC2,2013-01-01 01:00:00,3\n';

  it('is read in the order of time over all meters, compressed or not', async () => {
    const source = await read(LONDON, { zone: 'UTC' });
    expect(source.meters).toEqual(['MAC1', 'MAC2']);
    expect(source.readings.map(({ meter, value }) => `${meter} ${value}`)).toEqual([
      '0 0.219',
      '1 1',
      '1 2',
      '0 0.191',
      '1 3',
    ]);
    expect(source.intervalSeconds).toBe(1800);
    expect(source.description).toContain('1 rows without a value left out');
    expect((await read(gzipSync(LONDON), { zone: 'UTC' }, 'x.csv.gz')).readings).toEqual(source.readings);
    expect((await read(LONDON, { zone: 'UTC', readings: 2 })).readings).toEqual(source.readings.slice(0, 2));
  });

  it('may name its columns, in any order', async () => {
    const source = await read('a,b,c\n5,2026-01-01T00:00:00+01:00,M\n', { columns: ['C', 'b', 'a'] });
    expect(source.readings).toEqual([{ meter: 0, measuredAt: Date.UTC(2025, 11, 31, 23), value: '5' }]);
  });

  it.each<[string, Partial<CsvOptions>, RegExp]>([
    ['a,b\n', {}, /no column for the meter; it has "a", "b".*--columns/],
    [LONDON, {}, /line 2: the time "2013-01-01 00:00:00" carries no offset.*--zone UTC/],
    [LONDON, { columns: ['meter_id', 'when', 'kwh'] }, /no column "when"/],
    [LONDON, { zone: 'Nowhere' }, /--zone Nowhere is no time zone/],
    ['meter,time,value\nA,2026-01-01T00:00:00Z,"1,5"\n', {}, /line 2: the value "1,5" is no decimal/],
    ['meter,time,value\nA,1999-01-01T00:00:00Z,1\n', {}, /before the year 2000/],
    ['meter,time,value\nA,2013-03-31 01:30,1\n', { zone: 'Europe/London' }, /does not exist in Europe\/London/],
    ['meter,time,value\n', {}, /holds no readings/],
    ['meter,time,value\nA,B\n', {}, /cannot be read: .*[Ll]ine/],
  ])('with %j is refused, and the cure told', async (content, options, told) => {
    await expect(read(content, options)).rejects.toThrow(told);
  });

  it('that is not there is refused', async () => {
    await expect(readCsv(join(folder, 'none.csv'), { readings: 1 })).rejects.toThrow(
      /none\.csv cannot be read: ENOENT/,
    );
  });
});

describe('wall times', () => {
  const shownIn = (zone: string, instant: number) =>
    new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }).format(instant);

  it('are what a clock in the zone showed, the first of two', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('Europe/London', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'UTC'),
        fc.integer({ min: Date.UTC(2001, 0, 1) / 1000, max: Date.UTC(2036, 0, 1) / 1000 }),
        (zone, second) => {
          const found = wallTimeReader(zone)(shownIn(zone, second * 1000))!;
          expect(shownIn(zone, found)).toBe(shownIn(zone, second * 1000));
          expect(found).toBeLessThanOrEqual(second * 1000);
        },
      ),
      { numRuns: 200 },
    );
    expect(wallTimeReader('Europe/London')('2013-10-27 01:30')).toBe(Date.UTC(2013, 9, 27, 0, 30));
    expect(wallTimeReader('UTC')('2013-02-30 01:30')).toBeUndefined();
  });
});
