import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensurePartition } from '../../src/db/partitions.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { startGraphqlServer, type GraphqlServer } from '../../src/graphql/server.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { silentLog, testBrokers } from '../support/broker.js';
import { insertGroup, insertMeter } from '../support/rows.js';
import { until } from '../support/until.js';

const brokers = testBrokers('memory:');
const HOSTILE = '=HYPERLINK("http://x","a, b")';
const MANY = 200_000;
let api: TestApi;
let server: GraphqlServer;
let meters: string[];
let group: string;
/** Characters that the exports of this file have produced. */
let produced = 0;

beforeAll(async () => {
  const broker = await brokers.open();
  api = await createTestApi(broker);
  const { pool } = api.database;
  const client = await pool.connect();
  for (const month of ['2026-01-01', '2026-02-01']) await ensurePartition(client, 'meter_reading', new Date(month));
  client.release();
  meters = [];
  for (const name of ['one', HOSTILE, 'large']) meters.push(await insertMeter(pool, name));
  group = await insertGroup(pool, 'exported', [], meters.slice(0, 2));
  for (const [name, unit] of [
    ['1.8.0', 'kWh'],
    ['@2.8.0', null],
  ] as const)
    await api.services.series.upsert(DEFAULT_ORGANIZATION_ID, { name, unit });
  await pool.query(
    `insert into register (meter_device_id, series_id)
     select m.id, s.id from meter_device m, series s where m.id <> $1 or s.name = '1.8.0' order by m.id, s.name`,
    [meters[2]],
  );
  const insert = `insert into meter_reading (register_id, measured_at, value, quality, origin, received_at)
    select r.id, '2026-01-31T12:00:00Z'::timestamptz + n * $2::interval, -1.50 + n, case when n = 3 then 9 else 0 end, 0, now()
      from register r, generate_series(1, $3::int) n where (r.meter_device_id = $1) = $4`;
  await pool.query(insert, [meters[2], '15 minutes 0.000001 seconds', 2_000, false]);
  await pool.query(insert, [meters[2], '10 seconds', MANY, true]);
  const { readingExport } = api.services;
  const open = readingExport.open.bind(readingExport);
  readingExport.open = async (...request) => {
    const pages = await open(...request);
    return (async function* () {
      for await (const page of pages) {
        produced += page.length;
        yield page;
      }
    })();
  };
  server = await startGraphqlServer({
    config: { httpHost: '127.0.0.1', httpPort: 0, auth: 'off', oidc: undefined },
    database: api.database,
    broker,
    log: silentLog,
    services: api.services,
    readiness: async () => ({ ok: true, parts: {} }),
  });
});
afterAll(async () => {
  await server?.close();
  await api?.drop();
  await brokers.dispose();
});

const SPAN: [string, string][] = [
  ['from', '2026-01-01T00:00:00Z'],
  ['to', '2026-02-28T01:00:00+01:00'],
];
const urlOf = (parameters: [string, string][]) =>
  `${server.url}/export/readings?${new URLSearchParams(parameters).toString()}`;
const fetchExport = (parameters: [string, string][], headers: Record<string, string> = {}) =>
  fetch(urlOf([...SPAN, ...parameters]), { headers });

interface Row {
  meterDevice: string;
  meter: string;
  series: string;
  unit: string | null;
  timestamp: string;
  value: string;
  quality: string[];
  cursor: string;
}
const rowsOf = async (response: Response) =>
  (await response.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);

/** A request whose answer is read only where a test says so. */
async function openExport(parameters: [string, string][]): Promise<IncomingMessage> {
  const request = get(urlOf([...SPAN, ...parameters]), { agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

it('exports what is stored, by register and time, exactly and once', async () => {
  const rows = await rowsOf(
    await fetchExport([
      ['format', 'ndjson'],
      ['taskGroup', group],
    ]),
  );
  const { rows: stored } = await api.database.pool.query<Record<string, unknown>>(
    `select m.id as "meterDevice", m.name as meter, s.name as series, s.unit,
            regexp_replace(to_char(x.measured_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '000$', '') || 'Z' as timestamp, x.value,
            case x.quality when 9 then array['CHECK_FAILED', 'ESTIMATED'] else '{}' end as quality
       from meter_reading x join register r on r.id = x.register_id join meter_device m on m.id = r.meter_device_id
       join series s on s.id = r.series_id where m.id <> $1 order by r.id, x.measured_at`,
    [meters[2]],
  );
  expect(stored).toHaveLength(8_000);
  expect(rows.map(({ cursor: _cursor, ...row }) => row)).toEqual(stored);
});

it('goes on behind any row, and takes meters and series', async () => {
  const asked: [string, string][] = [
    ['format', 'ndjson'],
    ['meterDevice', meters[0]!],
    ['meterDevice', meters[1]!],
    ['series', '1.8.0'],
  ];
  const rows = await rowsOf(await fetchExport(asked));
  expect(rows).toHaveLength(4_000);
  expect(new Set(rows.map(({ series }) => series))).toEqual(new Set(['1.8.0']));
  for (const index of [0, 1_998, 1_999, 2_000, 3_998]) {
    const rest = await rowsOf(await fetchExport([...asked, ['after', rows[index]!.cursor]]));
    expect(rest).toEqual(rows.slice(index + 1));
  }
  const end = await fetchExport([...asked, ['after', rows.at(-1)!.cursor]]);
  expect(await end.text()).toBe('');
});

it('is CSV by default, with a header, and nothing in it is a formula', async () => {
  const response = await fetchExport([['meterDevice', meters[1]!]], { 'accept-encoding': 'identity' });
  expect(response.headers.get('content-type')).toContain('text/csv');
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  const text = await response.text();
  const rows = parse<Record<string, string>>(text, { columns: true });
  expect(rows).toHaveLength(4_000);
  expect(rows[2]).toMatchObject({ meter: `'${HOSTILE}`, value: '1.50', quality: 'CHECK_FAILED,ESTIMATED' });
  expect(rows[0]).toMatchObject({ value: '-0.50', timestamp: '2026-01-31T12:15:00.000001Z' });
  expect(new Set(rows.map(({ series }) => series))).toEqual(new Set(['1.8.0', `'@2.8.0`]));
});

it('is compressed where the client takes gzip', async () => {
  const request = get(urlOf([...SPAN, ['meterDevice', meters[0]!]]), { headers: { 'accept-encoding': 'br, gzip' } });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  expect(response.headers['content-encoding']).toBe('gzip');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const plain = await fetchExport([['meterDevice', meters[0]!]], { 'accept-encoding': 'gzip;q=0' });
  expect(plain.headers.get('content-encoding')).toBeNull();
  expect(gunzipSync(Buffer.concat(chunks)).toString()).toBe(await plain.text());
});

it.each<[string, [string, string][], number, string, string]>([
  ['an unknown meter', [['meterDevice', 'none']], 404, 'NOT_FOUND', 'meterDevice'],
  ['an unknown group', [['taskGroup', 'none']], 404, 'NOT_FOUND', 'taskGroup'],
  ['another format', [['format', 'xlsx']], 400, 'BAD_USER_INPUT', 'query.format'],
  ['a parameter that does not exist', [['serie', '1.8.0']], 400, 'BAD_USER_INPUT', 'query'],
  ['a cursor that is none', [['after', 'x']], 400, 'BAD_USER_INPUT', 'after'],
  ['text that cannot be stored', [['series', 'a\0']], 400, 'BAD_USER_INPUT', 'series'],
])('refuses %s', async (_what, parameters, status, code, field) => {
  const response = await fetchExport(parameters);
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject({ errors: [{ extensions: { code, field } }] });
});

it('refuses a time without offset and a span without an end', async () => {
  const wrong = await fetch(`${server.url}/export/readings?from=2026-01-01T00:00:00&to=2026-02-01T00:00:00Z`);
  expect(await wrong.json()).toMatchObject({ errors: [{ extensions: { field: 'query.from' } }] });
  const endless = await fetch(`${server.url}/export/readings?from=2026-01-01T00:00:00Z`);
  expect(await endless.json()).toMatchObject({ errors: [{ extensions: { field: 'query.to' } }] });
});

it('reads no further ahead of a slow client than the buffers of a connection', async () => {
  produced = 0;
  const response = await openExport([
    ['format', 'ndjson'],
    ['meterDevice', meters[2]!],
  ]);
  let before = -1;
  let still = 0;
  await until(
    api.database.pool,
    'a stop at full buffers',
    () => {
      still = produced > 0 && produced === before ? still + 1 : 0;
      before = produced;
      return still === 10;
    },
    20_000,
  );
  const ahead = produced;
  let received = 0;
  for await (const chunk of response) received += (chunk as Buffer).length;
  expect(produced).toBe(received);
  expect(received).toBeGreaterThan(MANY * 100);
  expect(ahead).toBeLessThan(received / 2);
});

it('ends the query when the client goes away', async () => {
  const holder = new pg.Client({ connectionString: api.url });
  await holder.connect();
  try {
    await holder.query('begin; lock table meter_reading in access exclusive mode');
    const waiting = async () => {
      const { rows } = await holder.query<{ count: number }>(
        `select count(*)::int as count from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
      );
      return rows[0]!.count;
    };
    const response = await openExport([['meterDevice', meters[2]!]]);
    await until(api.database.pool, 'a query that waits', async () => (await waiting()) === 1, 10_000);
    response.destroy();
    await until(api.database.pool, 'its end', async () => (await waiting()) === 0, 10_000);
  } finally {
    await holder.query('rollback');
    await holder.end();
  }
  // Its connection is of use again.
  const rows = await rowsOf(
    await fetchExport([
      ['format', 'ndjson'],
      ['meterDevice', meters[0]!],
    ]),
  );
  expect(rows).toHaveLength(4_000);
});
