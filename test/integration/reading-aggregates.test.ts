import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aggregateStatement } from '../../src/db/reading-aggregates.js';
import { ensurePartition } from '../../src/db/partitions.js';
import { BucketSize, CalendarBuckets } from '../../src/domain/calendar-buckets.js';
import type { SeriesKind } from '../../src/domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { QUALITY_FLAGS } from '../../src/domain/quality.js';
import { uuidAt } from '../../src/domain/uuid.js';
import type { AggregatePage, AggregatesRequest } from '../../src/services/reading-aggregates.js';
import {
  decimalOf,
  plainBucket,
  thousandths,
  type PlainIndex,
  type PlainReading,
} from '../support/aggregate-reference.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import { insertGroup, insertMeter } from '../support/rows.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const ZONES = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'UTC'];
const KINDS = ['cumulative', 'interval', 'instantaneous', 'unknown'] as const;

const brokers = testBrokers('memory:');
let api: TestApi;
let meters = 0;
const series: Record<string, string> = {};

beforeAll(async () => {
  api = await createTestApi(await brokers.open());
  const client = await api.database.pool.connect();
  for (let month = 0; month <= 13; month++) {
    await ensurePartition(client, 'meter_reading', new Date(Date.UTC(2026, month, 1)));
  }
  client.release();
  for (const kind of KINDS) {
    series[kind] = uuidAt();
    await api.database.pool.query('insert into series (id, organization_id, name, kind) values ($1, $2, $3, $3)', [
      series[kind],
      DEFAULT_ORGANIZATION_ID,
      kind,
    ]);
  }
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});

interface Stored {
  meter: string;
  register: number;
}

async function store(
  kind: (typeof KINDS)[number],
  readings: readonly PlainReading[],
  indexes: readonly PlainIndex[] = [],
  columns: Record<string, unknown> = {},
): Promise<Stored> {
  const { pool } = api.database;
  const meter = await insertMeter(pool, `meter ${++meters}`, { network_interface_id: null, ...columns });
  const { rows } = await pool.query<{ id: number }>(
    'insert into register (meter_device_id, series_id) values ($1, $2) returning id',
    [meter, series[kind]],
  );
  const register = rows[0]!.id;
  await pool.query(
    `insert into meter_reading (register_id, measured_at, value, quality, origin, received_at)
     select $1, t, v, q, 0, t from unnest($2::timestamptz[], $3::numeric[], $4::int[]) as u (t, v, q)`,
    [
      register,
      readings.map(({ at }) => new Date(at).toISOString()),
      readings.map(({ value }) => decimalOf(value)),
      readings.map(({ quality }) => quality),
    ],
  );
  if (indexes.length > 0) await install(meter, indexes);
  return { meter, register };
}

/** One stay for each index, each of a millisecond that readings do not fall into: only the indexes matter. */
async function install(meter: string, indexes: readonly PlainIndex[]): Promise<void> {
  const point = uuidAt();
  await api.database.pool.query('insert into metering_point (id, organization_id, name) values ($1, $2, $3)', [
    point,
    DEFAULT_ORGANIZATION_ID,
    `point of ${meter}`,
  ]);
  for (const { at, installed, value } of indexes) {
    await api.database.pool.query(
      `insert into installation (id, organization_id, metering_point_id, meter_device_id, installed_at, removed_at, start_index, end_index)
       values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [
        uuidAt(),
        DEFAULT_ORGANIZATION_ID,
        point,
        meter,
        new Date(installed ? at : at - 2),
        new Date(installed ? at + 1 : at),
        installed ? decimalOf(value) : null,
        installed ? null : decimalOf(value),
      ],
    );
  }
}

const page = (request: AggregatesRequest): Promise<AggregatePage> =>
  api.services.readingAggregates.page(DEFAULT_ORGANIZATION_ID, request);
const readings = (from: number, step: number, values: readonly (number | bigint)[]): PlainReading[] =>
  values.map((value, index) => ({ at: from + index * step, value: BigInt(value) * 1000n, quality: 0 }));

/** Near the changes of the clocks, each of which a week of readings passes. */
const CHANGES = ['2026-03-08', '2026-03-29', '2026-04-04', '2026-10-03', '2026-10-25', '2026-11-01', '2026-06-01'];
const arbitraryReadings = fc
  .tuple(
    fc.constantFrom(...CHANGES),
    fc.constantFrom(15 * MINUTE, 30 * MINUTE, HOUR, 6 * HOUR, DAY),
    fc.integer({ min: 5, max: 120 }),
    fc.integer({ min: 0, max: 2 ** 31 }),
  )
  .map(([day, step, count, seed]) => {
    // A generator of its own: values shrink badly, and one seed says all.
    let state = seed;
    const random = (below: number) => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor((state / 2 ** 31) * below);
    };
    const from = Date.parse(day) - 3 * DAY + (random(4) === 0 ? random(900) * 1000 : 0);
    let value = random(3) === 0 ? 9_990_000n : BigInt(random(500_000));
    const made: PlainReading[] = [];
    for (let index = 0; index < count; index++) {
      value += BigInt(random(2_000));
      if (value >= 10_000_000n) value -= 10_000_000n;
      if (random(60) === 0) value = BigInt(random(Number(value) + 1));
      if (random(12) === 0) continue;
      made.push({ at: from + index * step, value, quality: random(20) === 0 ? QUALITY_FLAGS.ESTIMATED : 0 });
    }
    const indexes: PlainIndex[] = [];
    if (random(2) === 0) {
      const at = from + random(count) * step - (random(2) === 0 ? 0 : 7 * MINUTE);
      if (random(3) > 0) indexes.push({ at, installed: false, value: BigInt(random(10_000_000)) });
      if (random(3) > 0) indexes.push({ at, installed: true, value: BigInt(random(1_000)) });
    }
    return { readings: made, indexes, from, to: from + count * step };
  });

describe('aggregates', () => {
  it('agree with a plain reckoning, over any readings, calendar and zone', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbitraryReadings,
        fc.constantFrom(...KINDS),
        fc.constantFrom(...Object.values(BucketSize)),
        fc.constantFrom(...ZONES),
        fc.integer({ min: 25, max: 1000 }),
        async (data, kind, bucket, timeZone, first) => {
          const { meter } = await store(kind, data.readings, data.indexes);
          const request = { meterDevice: meter, from: new Date(data.from), to: new Date(data.to), bucket, timeZone };
          const got = { starts: [] as number[], ends: [] as number[], rows: [] as Record<string, unknown>[] };
          let after: string | null = null;
          for (let pages = 0; pages === 0 || after !== null; pages++) {
            const { columns, next }: AggregatePage = await page({ ...request, first, after });
            expect(columns).toHaveLength(1);
            const column = columns[0]!;
            expect(column.starts.length).toBeLessThanOrEqual(first);
            for (const [index, start] of column.starts.entries()) {
              got.starts.push(start.getTime());
              got.ends.push(column.ends[index]!.getTime());
              got.rows.push({
                amount: thousandths(column.amounts[index]!),
                min: thousandths(column.minima[index]!),
                max: thousandths(column.maxima[index]!),
                first: thousandths(column.firsts[index]!),
                last: thousandths(column.lasts[index]!),
                count: column.counts[index]!,
                marks: column.qualities[index]!.split(',').filter((mark) => !/^$|INCOMPLETE|STARTS_EARLIER/.test(mark)),
                average: column.averages[index]!,
              });
            }
            after = next;
          }
          const calendar = new CalendarBuckets(bucket, timeZone);
          expect(got.starts[0]).toBe(calendar.startOf(data.from));
          expect(got.ends.at(-1)).toBeGreaterThanOrEqual(data.to);
          expect(got.starts.slice(1)).toEqual(got.ends.slice(0, -1));
          for (const [index, start] of got.starts.entries()) {
            const kindOf = kind as SeriesKind;
            const want = plainBucket(kindOf, data.readings, data.indexes, start, got.ends[index]!);
            const { average, marks, ...row } = got.rows[index]!;
            const { sum, quality, marks: wanted, ...plain } = want;
            expect(row).toEqual(plain);
            expect(new Set(marks as string[])).toEqual(new Set([...(quality ? ['ESTIMATED'] : []), ...wanted]));
            if (want.count === 0) expect(average).toBeNull();
            else expect(Number(average)).toBeCloseTo(Number(sum) / 1000 / want.count, 6);
          }
        },
      ),
      { numRuns: 100 },
    );
  }, 60_000);

  it.each([
    ['Europe/Berlin', '2026-03-29', 92],
    ['Europe/Berlin', '2026-10-25', 100],
    ['America/New_York', '2026-03-08', 92],
    ['America/New_York', '2026-11-01', 100],
    ['Australia/Lord_Howe', '2026-10-04', 94],
    ['Australia/Lord_Howe', '2026-04-05', 98],
    ['UTC', '2026-03-29', 96],
  ])('expect on %s the quarter-hours that %s has', async (timeZone, day, quarters) => {
    const noon = Date.parse(`${day}T12:00:00Z`);
    const { meter } = await store('interval', readings(noon - 2 * DAY, 15 * MINUTE, new Array<number>(400).fill(1)));
    const calendar = new CalendarBuckets(BucketSize.DAY, timeZone);
    const local = Date.parse(`${day}T00:00:00Z`) + (timeZone === 'Australia/Lord_Howe' ? -2 * HOUR : 12 * HOUR);
    const from = calendar.startOf(local);
    const to = calendar.endOf(from);
    const { columns } = await page({
      meterDevice: meter,
      from: new Date(from),
      to: new Date(to),
      bucket: BucketSize.DAY,
      timeZone,
    });
    expect(columns[0]).toMatchObject({
      amounts: [`${quarters}.000`],
      counts: [quarters],
      expectedCounts: [quarters],
      qualities: [''],
    });
  });

  const JUNE = Date.UTC(2026, 5, 1);
  const dayOf = async (meter: string, days = 1) =>
    (
      await page({
        meterDevice: meter,
        from: new Date(JUNE),
        to: new Date(JUNE + days * DAY),
        bucket: BucketSize.DAY,
        timeZone: 'UTC',
      })
    ).columns[0]!;

  it('take the last value until each bound, and book a gap where it ends', async () => {
    const { meter } = await store('cumulative', [
      { at: JUNE - 3 * HOUR, value: 100_000n, quality: 0 },
      { at: JUNE + 20 * HOUR, value: 107_000n, quality: 0 },
      { at: JUNE + 3 * DAY, value: 127_500n, quality: 0 },
    ]);
    expect(await dayOf(meter, 4)).toMatchObject({
      amounts: ['7.000', null, '20.500', null],
      counts: [1, 0, 1, 0],
      qualities: ['', 'INCOMPLETE', 'STARTS_EARLIER', 'INCOMPLETE'],
    });
  });

  it('go over a rollover, of the digits that the meter shows and not of the multiplied value', async () => {
    const rolled = await store('cumulative', readings(JUNE, 6 * HOUR, [99_990, 99_995, 5, 10, 12]));
    expect(await dayOf(rolled.meter)).toMatchObject({ amounts: ['22.000'], qualities: ['ROLLOVER'] });
    await api.database.pool.query('update series set affected_by_current_transformer = true where id = $1', [
      series['cumulative'],
    ]);
    try {
      const values = [99_990, 99_995, 5, 10, 12].map((value) => value * 40);
      const ratio = { current_transformer_ratio: '40' };
      const transformed = await store('cumulative', readings(JUNE, 6 * HOUR, values), [], ratio);
      expect(await dayOf(transformed.meter)).toMatchObject({ amounts: ['880.000'], qualities: ['ROLLOVER'] });
      // An index is what the meter shows: it is multiplied as well.
      const replaced = await store(
        'cumulative',
        readings(JUNE, 6 * HOUR, [400, 440, 480, 40, 80]),
        [
          { at: JUNE + 13 * HOUR, installed: false, value: 13_000n },
          { at: JUNE + 13 * HOUR, installed: true, value: 0n },
        ],
        ratio,
      );
      expect(await dayOf(replaced.meter)).toMatchObject({ amounts: ['200.000'], qualities: ['METER_REPLACED'] });
    } finally {
      await api.database.pool.query('update series set affected_by_current_transformer = false where id = $1', [
        series['cumulative'],
      ]);
    }
  });

  it('never show a fall that nothing explains as a negative amount', async () => {
    const { meter } = await store('cumulative', readings(JUNE, 6 * HOUR, [5_000, 5_010, 20, 30, 40, 50, 60, 70, 80]));
    expect(await dayOf(meter, 2)).toMatchObject({
      amounts: [null, '40.000'],
      qualities: ['UNEXPLAINED_FALL', ''],
    });
  });

  it('leave installations of meters with several counters alone: whose index it is nobody knows', async () => {
    const indexes = [{ at: JUNE + 7 * HOUR, installed: true, value: 1_000n }];
    const { meter } = await store('cumulative', readings(JUNE, 6 * HOUR, [10, 20, 30, 40, 50]), indexes);
    expect(await dayOf(meter)).toMatchObject({ qualities: ['METER_REPLACED'] });
    const another = uuidAt();
    await api.database.pool.query(
      `insert into series (id, organization_id, name, kind) values ($1, $2, 'another counter', 'cumulative')`,
      [another, DEFAULT_ORGANIZATION_ID],
    );
    await api.database.pool.query('insert into register (meter_device_id, series_id) values ($1, $2)', [
      meter,
      another,
    ]);
    expect(await dayOf(meter)).toMatchObject({ amounts: ['40.000'], qualities: [''] });
  });

  it('add up a series over the meters of a group, and count values that came twice', async () => {
    const one = await store('cumulative', readings(JUNE, HOUR, [100, 101, 102, 103]));
    const two = await store('cumulative', readings(JUNE, HOUR, [50, 52, 54, 56]));
    const three = await store('interval', readings(JUNE + HOUR, HOUR, [1, 2, 3]));
    const empty = await insertMeter(api.database.pool, 'without readings');
    const group = await insertGroup(api.database.pool, 'added up', [], [one.meter, two.meter, three.meter, empty]);
    await api.database.pool.query(
      `insert into meter_reading_revision (register_id, measured_at, value, origin, received_at)
       values ($1, $2, 7, 0, now()), ($1, $2, 8, 0, now()), ($3, $2, 9, 0, now())`,
      [one.register, new Date(JUNE + 2 * HOUR), two.register],
    );
    const QUERY = `query ($group: ID, $from: DateTime!, $to: DateTime!, $meter: ID, $zone: String) {
      readingAggregates(taskGroup: $group, meterDevice: $meter, from: $from, to: $to, bucket: HOUR, timeZone: $zone) {
        timeZone next columns { series { name } register { id } meterCount starts ends amounts minima maxima averages firsts lasts
          counts expectedCounts revisedCounts qualities } } }`;
    const span = { from: '2026-06-01T01:00:00Z', to: '2026-06-01T03:00:00Z' };
    const answer = await api.run<{ readingAggregates: AggregatePage }>(QUERY, { group, ...span });
    expect(answer.readingAggregates).toEqual({
      timeZone: 'UTC',
      next: null,
      columns: [
        {
          series: { name: 'cumulative' },
          register: null,
          meterCount: 2,
          starts: ['2026-06-01T01:00:00.000Z', '2026-06-01T02:00:00.000Z'],
          ends: ['2026-06-01T02:00:00.000Z', '2026-06-01T03:00:00.000Z'],
          amounts: ['3.000', '3.000'],
          minima: ['54.000', '56.000'],
          maxima: ['102.000', '103.000'],
          averages: ['78', '79.5'],
          firsts: [null, null],
          lasts: [null, null],
          counts: [2, 2],
          expectedCounts: [2, 2],
          revisedCounts: [2, 0],
          qualities: ['', ''],
        },
        expect.objectContaining({ series: { name: 'interval' }, meterCount: 1, amounts: ['2.000', '3.000'] }),
      ],
    });
    const alone = await api.run<{ readingAggregates: AggregatePage }>(QUERY, { meter: one.meter, ...span });
    expect(alone.readingAggregates.columns).toMatchObject([
      { register: { id: String(one.register) }, amounts: ['1.000', '1.000'], firsts: ['102.000', '103.000'] },
    ]);
    expect(await api.failure(QUERY, { ...span })).toMatchObject({ code: 'BAD_USER_INPUT', field: 'meterDevice' });
    expect(await api.failure(QUERY, { ...span, group, meter: one.meter })).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(await api.failure(QUERY, { ...span, meter: 'none' })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await api.failure(QUERY, { ...span, group, zone: 'Moon/Sea' })).toMatchObject({ field: 'timeZone' });
    expect(await api.failure(QUERY, { ...span, group, from: '1899-01-01T00:00:00Z' })).toMatchObject({ field: 'from' });
    const stranger = '00000000-0000-7000-8000-00000000ffff';
    await expect(api.run(QUERY, { ...span, meter: one.meter }, stranger)).rejects.toThrow('There is no MeterDevice');
  });

  it('read a year of a meter from the covering key alone', async () => {
    const { pool } = api.database;
    const year = Array.from({ length: 35_040 }, (_, index) => 1_000 + index);
    const { register } = await store('cumulative', readings(Date.UTC(2026, 0, 1), 15 * MINUTE, year));
    // Among other meters: alone in its table it would be read as a whole.
    await pool.query(
      `insert into meter_reading (register_id, measured_at, value, origin, received_at)
       select 1000000 + n, measured_at, value, origin, received_at from meter_reading, generate_series(1, 15) n where register_id = $1`,
      [register],
    );
    await pool.query('vacuum analyze meter_reading');
    const calendar = new CalendarBuckets(BucketSize.DAY, 'Europe/Berlin');
    const bounds = [calendar.startOf(Date.UTC(2026, 0, 1))];
    while (bounds.at(-1)! < Date.UTC(2026, 11, 31, 23)) bounds.push(calendar.endOf(bounds.at(-1)!));
    const { text, values } = aggregateStatement({
      registers: [{ id: register, factor: '1' }],
      bounds,
      ends: true,
      differences: true,
      indexes: [],
    });
    const { rows } = await pool.query<Record<string, string>>(`explain (analyze, buffers, costs off) ${text}`, values);
    const plan = rows.map((row) => row['QUERY PLAN']!).join('\n');
    // Of months after the year nothing is read.
    const scans = plan
      .split('\n')
      .filter((line) => /Scan.*meter_reading_\d/.test(line) && !/never executed/.test(line));
    expect(scans.length).toBeGreaterThanOrEqual(12);
    expect(scans.filter((line) => !line.includes('Index Only Scan'))).toEqual([]);
    const fetches = [...plan.matchAll(/Heap Fetches: (\d+)/g)].map(([, count]) => Number(count));
    expect(fetches.reduce((sum, count) => sum + count, 0)).toBe(0);
    if (process.env['SHOW_PLAN']) console.log(plan);
  });
});
