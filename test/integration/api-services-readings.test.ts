import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensurePartition } from '../../src/db/partitions.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import { insertGroup, insertMeter } from '../support/rows.js';

const brokers = testBrokers('memory:');
let api: TestApi;
let meter: string;
let other: string;
let group: string;

/** Across the end of a month, so that two partitions are read. */
const TIMES = ['2026-01-31T22:00:00Z', '2026-01-31T23:00:00Z', '2026-02-01T00:00:00Z', '2026-02-01T01:00:00Z'];
const VOLUME = '7-0:13.26.0*101';
const TEMPERATURE = '7-0:41.2.0';

beforeAll(async () => {
  api = await createTestApi(await brokers.open());
  const { pool } = api.database;
  const client = await pool.connect();
  for (const at of [TIMES[0]!, TIMES[2]!]) await ensurePartition(client, 'meter_reading', new Date(at));
  client.release();
  meter = await insertMeter(pool, 'read');
  other = await insertMeter(pool, 'read too');
  group = await insertGroup(pool, 'readers', [], [other]);
  for (const [name, unit] of [
    [VOLUME, 'm3'],
    [TEMPERATURE, '°C'],
  ]) {
    await api.services.series.upsert('00000000-0000-7000-8000-000000000001', { name: name!, unit });
  }
  await pool.query(
    `insert into register (meter_device_id, series_id)
     select m, s.id from unnest($1::uuid[]) with ordinality as u(m, n), series s order by n, s.name`,
    [[meter, other]],
  );
  await pool.query(
    `insert into meter_reading (register_id, measured_at, value, quality, origin, received_at)
     select r.id, t, ('100' || n || '.1250')::numeric, case when n = 2 then 3 else 0 end, case when n = 4 then 1 else 0 end, t + interval '1 minute'
       from register r, unnest($1::timestamptz[]) with ordinality as u(t, n)`,
    [TIMES],
  );
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});

interface Page {
  readings: {
    columns: { register: { series: { name: string } }; timestamps: string[]; values: string[]; qualities: string[] }[];
    next: string | null;
  };
}
const READINGS = `query ($meter: ID!, $series: [String!], $from: DateTime!, $to: DateTime!, $first: Int, $after: String) {
  readings(meterDevice: $meter, series: $series, from: $from, to: $to, first: $first, after: $after) {
    columns { register { id series { name } meterDevice { id } } timestamps values qualities } next } }`;
const ALL = { from: '2026-01-01T00:00:00Z', to: '2026-03-01T00:00:00Z' };
const read = async (more: object = {}) => (await api.run<Page>(READINGS, { meter, ...ALL, ...more })).readings;

it('returns columns by register and time, with exact values and quality codes', async () => {
  const { columns, next } = await read();
  expect(columns.map(({ register }) => register.series.name)).toEqual([VOLUME, TEMPERATURE]);
  expect(columns[0]).toMatchObject({
    timestamps: TIMES.map((time) => time.replace('Z', '.000Z')),
    values: ['1001.1250', '1002.1250', '1003.1250', '1004.1250'],
    qualities: ['', 'CHECK_FAILED,CLOCK_NOT_SET', '', ''],
  });
  expect(next).toBeNull();
});

it('includes the beginning of the span and excludes its end', async () => {
  const { columns } = await read({ series: [VOLUME], from: TIMES[1], to: '2026-02-01T01:00:00+00:00' });
  expect(columns.map(({ timestamps }) => timestamps)).toEqual([
    ['2026-01-31T23:00:00.000Z', '2026-02-01T00:00:00.000Z'],
  ]);
});

it('reads on where a page ended, over registers and partitions, to the microsecond', async () => {
  const register = await api.database.pool.query<{ id: number }>(
    'select min(id) as id from register where meter_device_id = $1',
    [meter],
  );
  await api.database.pool.query(
    `insert into meter_reading values ($1, '2026-02-01 01:00:00.000001Z', 5.0, 0, 0, now()), ($1, '2026-02-01 01:00:00.000002Z', 6.00, 0, 0, now())`,
    [register.rows[0]!.id],
  );
  try {
    const whole = (await read()).columns.flatMap(({ register, values }) =>
      values.map((value) => `${register.series.name} ${value}`),
    );
    expect(whole).toHaveLength(10);
    for (const first of [1, 3, 4, 9, 10]) {
      const seen: string[] = [];
      for (let after: string | null = null, pages = 0; pages === 0 || after; pages++) {
        const { columns, next } = await read({ first, after });
        const page = columns.flatMap(({ register, values }) =>
          values.map((value) => `${register.series.name} ${value}`),
        );
        expect(page.length).toBeLessThanOrEqual(first);
        seen.push(...page);
        after = next;
      }
      expect(seen).toEqual(whole);
    }
  } finally {
    await api.database.pool.query(`delete from meter_reading where value < 10`);
  }
});

it.each([
  ['a span that ends before it begins', { from: ALL.to, to: ALL.from }, 'BAD_USER_INPUT', 'from'],
  ['a page of nothing', { first: 0 }, 'BAD_USER_INPUT', 'first'],
  ['a page beyond the cap', { first: 10_001 }, 'BAD_USER_INPUT', 'first'],
  ['a foreign cursor', { after: 'bm9uZQ' }, 'BAD_USER_INPUT', 'after'],
  ['an unknown meter', { meter: 'EK280' }, 'NOT_FOUND', 'meterDevice'],
])('refuses %s', async (_what, wrong, code, field) => {
  expect(await api.failure(READINGS, { meter, ...ALL, ...wrong })).toMatchObject({ code, field });
});

it('refuses a time without offset before anything runs', async () => {
  await expect(read({ from: '2026-01-01T00:00:00' })).rejects.toThrow(/offset or Z/);
});

it('answers a series that the meter does not have with no columns', async () => {
  expect(await read({ series: ['none'] })).toEqual({ columns: [], next: null });
});

const LATEST = `query ($filter: MeterReadingFilter, $first: Int) { latestReadings(filter: $filter, first: $first) {
  cursor series unit timestamp value quality origin receivedAt meteringPoint customerReference tariffReference revised late
  meterDevice { id } } }`;
const latest = async (filter: object = {}, first?: number) =>
  (await api.run<{ latestReadings: { series: string; meterDevice: { id: string } }[] }>(LATEST, { filter, first }))
    .latestReadings;

it('returns the newest reading of each register that matches', async () => {
  expect(await latest()).toHaveLength(4);
  expect(await latest({ taskGroups: [group], series: [VOLUME], origins: ['ON_DEMAND'] })).toEqual([
    {
      cursor: null,
      series: VOLUME,
      unit: 'm3',
      timestamp: '2026-02-01T01:00:00.000Z',
      value: '1004.1250',
      quality: [],
      origin: 'ON_DEMAND',
      receivedAt: '2026-02-01T01:01:00.000Z',
      meteringPoint: null,
      customerReference: null,
      tariffReference: null,
      revised: false,
      late: false,
      meterDevice: { id: other },
    },
  ]);
  expect(await latest({ meterDevices: [meter, 'no id'] })).toHaveLength(2);
  expect(await latest({ origins: ['SCHEDULED'] })).toEqual([]);
  expect(await latest({}, 1)).toHaveLength(1);
  expect(await api.failure(LATEST, { first: 1001 })).toMatchObject({ code: 'BAD_USER_INPUT', field: 'first' });
});

it('says of the newest reading where it was measured, and whether its value took the place of another', async () => {
  const { pool } = api.database;
  const organization = '00000000-0000-7000-8000-000000000001';
  const [left, moved] = [uuidAt(), uuidAt()];
  await pool.query(
    `insert into metering_point (id, organization_id, name, customer_reference, tariff_reference)
     select id, $3, name, 'C-' || name, null from (values ($1::uuid, 'left'), ($2::uuid, 'moved to')) as p (id, name)`,
    [left, moved, organization],
  );
  await pool.query(
    `insert into installation (id, organization_id, metering_point_id, meter_device_id, installed_at, removed_at)
     values ($4, $3, $1, $6, '2025-01-01', '2026-02-01T01:00:00Z'), ($5, $3, $2, $6, '2026-02-01T01:00:00Z', null)`,
    [left, moved, organization, uuidAt(), uuidAt(), meter],
  );
  // Another value came later for the one register, and was there before for the other.
  await pool.query(
    `insert into meter_reading_revision (register_id, measured_at, value, origin, received_at)
     select r.id, $1, 7, 0, $1::timestamptz + case when s.name = $2 then interval '1 hour' else interval '1 second' end
       from register r join series s on s.id = r.series_id where r.meter_device_id = $3`,
    [TIMES[3], VOLUME, meter],
  );
  const place = { meteringPoint: moved, customerReference: 'C-moved to', tariffReference: null, late: false };
  const readings = await latest({ meterDevices: [meter] });
  expect(readings.find(({ series }) => series === VOLUME)).toMatchObject({ ...place, revised: false });
  expect(readings.find(({ series }) => series === TEMPERATURE)).toMatchObject({ ...place, revised: true });
});

it('knows when meters and registers were last read, and keeps a meter with readings', async () => {
  expect(
    await api.run(
      `{ meterDevice(id: "${meter}") { lastReadingAt registers { series { name } firstReadingAt lastReadingAt } } }`,
    ),
  ).toEqual({
    meterDevice: {
      lastReadingAt: '2026-02-01T01:00:00.000Z',
      registers: [VOLUME, TEMPERATURE].map((name) => ({
        series: { name },
        firstReadingAt: '2026-01-31T22:00:00.000Z',
        lastReadingAt: '2026-02-01T01:00:00.000Z',
      })),
    },
  });
  expect(await api.failure(`mutation { deleteMeterDevice(input: {id: "${meter}"}) { id } }`)).toMatchObject({
    code: 'CONFLICT',
    message: expect.stringMatching(/readings of 2 series.*RETIRED/) as string,
  });
});
