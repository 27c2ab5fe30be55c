import { graphql } from 'graphql';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensurePartition } from '../../src/db/partitions.js';
import { Role } from '../../src/domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import type { RequestContext } from '../../src/graphql/context.js';
import type { LiveFeed } from '../../src/graphql/live-feed.js';
import { createLoaders } from '../../src/graphql/loaders.js';
import { startGraphqlServer, type GraphqlServer } from '../../src/graphql/server.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { silentLog, testBrokers } from '../support/broker.js';
import { insertMeter } from '../support/rows.js';

const brokers = testBrokers('memory:');
let api: TestApi;
let server: GraphqlServer;
const meters: string[] = [];

beforeAll(async () => {
  const broker = await brokers.open();
  api = await createTestApi(broker);
  const { pool } = api.database;
  const client = await pool.connect();
  await ensurePartition(client, 'meter_reading', new Date('2026-01-01'));
  client.release();
  for (const name of ['one', 'a "quoted" \\ meter', 'without readings']) meters.push(await insertMeter(pool, name));
  for (const name of ['1.8.0', '2.8.0']) {
    await api.services.series.upsert(DEFAULT_ORGANIZATION_ID, { name });
  }
  await pool.query(
    'insert into register (meter_device_id, series_id) select m.id, s.id from meter_device m, series s order by m.id',
  );
  await pool.query(
    `insert into meter_reading (register_id, measured_at, value, quality, origin, received_at)
     select r.id, '2026-01-01'::timestamptz + n * interval '15 minutes 1.001 seconds', (n * 1.25)::numeric(10, 4), case when n % 7 = 0 then 9 else 0 end, 0, now()
       from register r, generate_series(0, 500) n where r.meter_device_id <> $1`,
    [meters[2]],
  );
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

/** The same operation item by item: no text stands in for a list. */
async function plain(source: string, variableValues: Record<string, unknown>) {
  const contextValue: RequestContext = {
    organizationId: DEFAULT_ORGANIZATION_ID,
    role: Role.ADMIN,
    services: api.services,
    loaders: createLoaders(api.services, DEFAULT_ORGANIZATION_ID),
    live: {} as LiveFeed,
  };
  return JSON.stringify(await graphql({ schema: api.schema, source, variableValues, contextValue }));
}

async function overHttp(query: string, variables: Record<string, unknown>): Promise<string> {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.text()).trimEnd();
}

const SPAN = 'from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z"';
it.each([
  [
    'all columns',
    `query ($one: ID!) { readings(meterDevice: $one, ${SPAN}) { next columns { timestamps values qualities } } }`,
  ],
  [
    'aliases, fragments and directives',
    `query ($one: ID!, $two: ID!, $no: Boolean = false) {
       a: readings(meterDevice: $one, ${SPAN}, first: 700) { ...Page next }
       b: readings(meterDevice: $two, ${SPAN}, series: ["2.8.0"]) { columns { values again: values ... on ReadingColumns { timestamps } ...Times } }
       meterDevices { nodes { name } }
     }
     fragment Page on ReadingPage { columns { register { series { name } meterDevice { name } } q: qualities values @include(if: $no) ...Times } }
     fragment Times on ReadingColumns { timestamps at: timestamps }`,
  ],
  [
    'a page without readings',
    `query ($three: ID!) { readings(meterDevice: $three, ${SPAN}) { next columns { timestamps values } } }`,
  ],
])('answers %s over HTTP with the bytes that graphql-js alone makes', async (_what, query) => {
  const [one, two, three] = meters;
  const declared = { one, two, three };
  const variables = Object.fromEntries(Object.entries(declared).filter(([name]) => query.includes(`$${name}:`)));
  const text = await overHttp(query, variables);
  expect(text).toMatch(/^{"data":\{/);
  // HTTP adds the cost behind the data.
  expect(text.startsWith((await plain(query, variables)).slice(0, -1))).toBe(true);
  expect(text).not.toContain('raw list');
});

it('leaves no trace of a list where an error makes its data null', async () => {
  const query = `query ($one: ID!) { fine: readings(meterDevice: $one, ${SPAN}) { columns { values } }
    readings(meterDevice: "none", ${SPAN}) { columns { values } } }`;
  const text = await overHttp(query, { one: meters[0] });
  expect(text).not.toContain('raw list');
  expect(JSON.parse(text)).toMatchObject({ data: null, errors: [{ extensions: { code: 'NOT_FOUND' } }] });
});
