import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import { insertMeter } from '../support/rows.js';

const brokers = testBrokers('memory:');
const OTHERS = uuidAt();
let api: TestApi;
beforeAll(async () => {
  api = await createTestApi(await brokers.open());
  const { pool } = api.database;
  await pool.query('insert into organization (id, name) values ($1, $2)', [OTHERS, 'others']);
  // Two messages bring different values for one time of m1.
  await pool.query(
    `insert into staged_reading (organization_id, meter, series, measured_at, value, origin, received_at, message_id)
     select $1::uuid, 'm' || m, 's' || s, '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 hour', (n || '.50')::numeric, 3, '2026-02-01T00:00:00Z'::timestamptz, $2::uuid
     from generate_series(1, 3) m, generate_series(1, 2) s, generate_series(0, 4) n
     union all
     select $1::uuid, 'm1', 's1', '2026-01-01T00:00:00Z', 7, 4, '2026-02-01T00:00:00Z', $3::uuid
     union all
     select $4::uuid, 'm1', 's9', '2026-01-01T00:00:00Z', 9, 4, '2026-02-01T00:00:00Z', $3::uuid`,
    [DEFAULT_ORGANIZATION_ID, uuidAt(), uuidAt(), OTHERS],
  );
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});

interface Page<T> {
  nodes: T[];
  totalCount: number;
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

it('staged readings are listed by meter, series and time, in pages that neither repeat nor leave out', async () => {
  const seen: string[] = [];
  let after: string | null = null;
  for (let pages = 0; pages < 10; pages++) {
    const { stagedReadings: page }: { stagedReadings: Page<Record<string, string>> } = await api.run(
      `query ($after: String) { stagedReadings(first: 7, after: $after) {
         totalCount nodes { id meter series timestamp value } pageInfo { hasNextPage endCursor } } }`,
      { after },
    );
    expect(page.totalCount).toBe(31);
    seen.push(...page.nodes.map(({ meter, series, timestamp, value }) => `${meter} ${series} ${timestamp} ${value}`));
    after = page.pageInfo.endCursor;
    if (!page.pageInfo.hasNextPage) break;
  }
  expect(new Set(seen).size).toBe(31);
  const places = seen.map((each) => each.split(' ').slice(0, 3).join(' '));
  expect(places).toEqual([...places].sort());
});

it('staged readings are found by meter, series and time, and say until when they wait', async () => {
  const { stagedReadings } = await api.run<{ stagedReadings: Page<object> }>(
    `{ stagedReadings(filter: {meter: "m2", series: "s1", from: "2026-01-01T01:00:00Z", to: "2026-01-01T03:00:00Z"}) {
         totalCount nodes { meter series timestamp value unit quality origin receivedAt expiresAt } } }`,
  );
  expect(stagedReadings.totalCount).toBe(2);
  expect(stagedReadings.nodes[0]).toEqual({
    meter: 'm2',
    series: 's1',
    timestamp: '2026-01-01T01:00:00.000Z',
    value: '1.50',
    unit: null,
    quality: [],
    origin: 'PUSH',
    receivedAt: '2026-02-01T00:00:00.000Z',
    expiresAt: '2026-03-03T00:00:00.000Z',
  });
});

it('unknown meters are listed with what waits for them', async () => {
  const query = `query ($after: String) { stagedReadingCount stagedMeters(first: 2, after: $after) { totalCount
    nodes { meter readingCount firstMeasuredAt lastMeasuredAt seriesCount series } pageInfo { hasNextPage endCursor } } }`;
  const first = await api.run<{ stagedMeters: Page<object> }>(query);
  expect(first).toMatchObject({
    stagedReadingCount: 31,
    stagedMeters: {
      totalCount: 3,
      nodes: [
        {
          meter: 'm1',
          readingCount: 11,
          firstMeasuredAt: '2026-01-01T00:00:00.000Z',
          lastMeasuredAt: '2026-01-01T04:00:00.000Z',
          seriesCount: 2,
          series: ['s1', 's2'],
        },
        { meter: 'm2', readingCount: 10 },
      ],
    },
  });
  const second = await api.run<{ stagedMeters: Page<object> }>(query, {
    after: first.stagedMeters.pageInfo.endCursor,
  });
  expect(second).toMatchObject({ stagedMeters: { nodes: [{ meter: 'm3' }], pageInfo: { hasNextPage: false } } });
  expect(await api.run('{ stagedReadingCount stagedMeters { nodes { series } } }', {}, OTHERS)).toEqual({
    stagedReadingCount: 1,
    stagedMeters: { nodes: [{ series: ['s9'] }] },
  });
});

it.each([
  'nonsense',
  Buffer.from('["m1"]').toString('base64url'),
  Buffer.from('["m\\u0000","s","x","1"]').toString('base64url'),
])('refuses %s as a cursor', async (after) => {
  const query = 'query ($after: String) { stagedReadings(after: $after) { totalCount } }';
  expect(await api.failure(query, { after })).toMatchObject({ code: 'BAD_USER_INPUT', field: 'after' });
});

it('a reading is shown with what else came for its time, and revisions beside the current value', async () => {
  const { pool } = api.database;
  const meter = await insertMeter(pool, 'revised');
  const series = uuidAt();
  await pool.query(`insert into series (id, organization_id, name, unit) values ($1, $2, 'r', 'm3')`, [
    series,
    DEFAULT_ORGANIZATION_ID,
  ]);
  const { rows } = await pool.query<{ id: number }>(
    'insert into register (meter_device_id, series_id) values ($1, $2) returning id',
    [meter, series],
  );
  const register = rows[0]!.id;
  const message = uuidAt();
  await pool.query(
    `insert into meter_reading (register_id, measured_at, value, raw_value, origin, received_at, collected_at, message_id)
     select $1, date_trunc('month', now()) + n * interval '1 hour', 10 + n, n, 0, '2026-02-01T00:00:00Z', '2026-01-31T00:00:00Z', $2
     from generate_series(0, 5) n`,
    [register, message],
  );
  await pool.query(
    `insert into meter_reading_revision (register_id, measured_at, value, quality, origin, received_at, collected_at)
     select $1, date_trunc('month', now()) + n * interval '1 hour', v, 1, 4, '2026-02-02T00:00:00Z', '2026-02-01T00:00:00Z'::timestamptz - v * interval '1 minute'
     from generate_series(0, 5) n, generate_series(20, 22) v`,
    [register],
  );
  const month = new Date();
  const at = new Date(Date.UTC(month.getUTCFullYear(), month.getUTCMonth(), 1));
  const detail = `query ($meter: ID!, $at: DateTime!) { meterReading(meterDevice: $meter, series: "r", timestamp: $at) {
    meterDevice { name } series unit timestamp value rawValue quality origin collectedAt receivedAt messageId
    revisions { value rawValue quality origin collectedAt receivedAt messageId } } }`;
  expect(await api.run(detail, { meter, at: at.toISOString() })).toMatchObject({
    meterReading: {
      meterDevice: { name: 'revised' },
      unit: 'm3',
      value: '10',
      rawValue: '0',
      quality: [],
      origin: 'SCHEDULED',
      collectedAt: '2026-01-31T00:00:00.000Z',
      messageId: message,
      // As they were taken from the meter: the larger ones came earlier.
      revisions: [
        { value: '22', quality: ['CHECK_FAILED'], origin: 'IMPORT', messageId: null },
        { value: '21' },
        { value: '20' },
      ],
    },
  });
  expect(await api.run(detail, { meter, at: '2026-01-01T00:00:01Z' })).toEqual({ meterReading: null });
  const foreign = await insertMeter(pool, 'foreign', { organization_id: OTHERS });
  expect(await api.failure(detail, { meter: foreign, at: at.toISOString() })).toMatchObject({ code: 'NOT_FOUND' });

  const seen: string[] = [];
  let after: string | null = null;
  for (let pages = 0; pages < 10; pages++) {
    const { readingRevisions: page }: { readingRevisions: Page<{ value: string; currentValue: string }> } =
      await api.run(
        `query ($meter: ID!, $from: DateTime!, $to: DateTime!, $after: String) {
           readingRevisions(meterDevice: $meter, series: "r", from: $from, to: $to, first: 4, after: $after) {
             totalCount nodes { timestamp value currentValue } pageInfo { hasNextPage endCursor } } }`,
        { meter, from: at.toISOString(), to: new Date(at.getTime() + 3 * 3_600_000).toISOString(), after },
      );
    expect(page.totalCount).toBe(9);
    seen.push(...page.nodes.map(({ value, currentValue }) => `${currentValue} ${value}`));
    after = page.pageInfo.endCursor;
    if (!page.pageInfo.hasNextPage) break;
  }
  expect(seen).toEqual([10, 11, 12].flatMap((current) => [20, 21, 22].map((value) => `${current} ${value}`)));
});
