import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { startGraphqlServer, type GraphqlServer } from '../../src/graphql/server.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { createServices } from '../../src/services/index.js';
import { silentLog } from '../support/broker.js';
import { batchOf, commitBatches } from '../support/committed-readings.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let db: TestDatabase;
let broker: MemoryBroker;
let server: GraphqlServer;
const meter = randomUUID();

beforeAll(async () => {
  db = await createTestDatabase();
  broker = new MemoryBroker(silentLog);
  await db.database.pool.query('insert into meter_device (id, organization_id, name) values ($1, $2, $3)', [
    meter,
    DEFAULT_ORGANIZATION_ID,
    'EK280-0042',
  ]);
  server = await startGraphqlServer({
    config: { httpHost: '127.0.0.1', httpPort: 0, auth: 'off', oidc: undefined },
    database: db.database,
    broker,
    log: silentLog,
    services: createServices({ database: db.database, broker, credentialsPublicKey: undefined, log: silentLog }),
    readiness: async () => ({ ok: true, parts: {} }),
  });
});
afterAll(async () => {
  await server?.close();
  await broker?.close();
  await db?.drop();
});

const ACCEPT = { accept: 'text/event-stream' };
interface Event {
  id?: string;
  event?: string;
  data?: string;
}

/** Events of a response as they come; `leave` closes the connection. */
async function open(body: object | string, headers: Record<string, string> = {}) {
  const cut = new AbortController();
  const response =
    typeof body === 'string'
      ? await fetch(`${server.url}/graphql/stream?${body}`, { headers: { ...ACCEPT, ...headers }, signal: cut.signal })
      : await fetch(`${server.url}/graphql/stream`, {
          method: 'POST',
          headers: { ...ACCEPT, 'content-type': 'application/json', ...headers },
          body: JSON.stringify(body),
          signal: cut.signal,
        });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const next = async (): Promise<Event | undefined> => {
    for (;;) {
      const end = text.indexOf('\n\n');
      if (end >= 0) {
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        const fields = block.split('\n').filter((line) => !line.startsWith(':'));
        if (fields.length > 0) return Object.fromEntries(fields.map((line) => line.split(/: (.*)/s))) as Event;
        continue;
      }
      const { done, value } = await reader.read();
      if (done) return undefined;
      text += value;
    }
  };
  return { response, next, leave: () => cut.abort() };
}
const subscribers = async () =>
  Number(
    /amr_subscribers\{subscription="meterReadingAdded"\} (\d+)/.exec(
      await (await fetch(`${server.url}/metrics`)).text(),
    )?.[1] ?? 0,
  );
const WATCH =
  'subscription ($after: Cursor) { meterReadingAdded(after: $after) { cursor value meterDevice { name } } }';
const readingOf = (event: Event | undefined) =>
  (JSON.parse(event!.data!) as { data: { meterReadingAdded: { cursor: string; value: string } } }).data
    .meterReadingAdded;

describe('GraphQL over SSE', () => {
  it('streams readings, and resumes by cursor or by the id of the last event', async () => {
    const first = await open({ query: WATCH });
    expect(first.response.headers.get('content-type')).toContain('text/event-stream');
    expect(first.response.headers.get('x-content-type-options')).toBe('nosniff');
    await expect.poll(subscribers).toBe(1);
    await commitBatches(db.database, broker, [batchOf({ meter, count: 4 })]);
    const event = await first.next();
    expect(event).toMatchObject({ event: 'next' });
    expect(readingOf(event)).toEqual({
      cursor: event!.id,
      value: '0',
      meterDevice: { name: 'EK280-0042' },
    });
    const second = await first.next();
    first.leave();
    await expect.poll(subscribers).toBe(0);
    const resumed = await open({ query: WATCH, variables: { after: event!.id } });
    expect(readingOf(await resumed.next()).value).toBe('1');
    resumed.leave();
    // As a browser comes back: the same URL, and the id of the last event.
    const again = await open(`query=${encodeURIComponent(WATCH)}`, { 'last-event-id': second!.id! });
    expect(readingOf(await again.next()).value).toBe('2');
    again.leave();
    await expect.poll(subscribers).toBe(0);
  });

  it('answers queries with one event and completes', async () => {
    const { next } = await open({ query: '{ __typename }' });
    expect(await next()).toEqual({
      event: 'next',
      data: '{"data":{"__typename":"Query"},"extensions":{"cost":{"requested":0,"limit":50000}}}',
    });
    expect(await next()).toEqual({ event: 'complete', data: '' });
    expect(await next()).toBeUndefined();
  });

  it.each([
    ['a wrong document', { query: '{ nonsense }' }, 'GRAPHQL_VALIDATION_FAILED'],
    ['no document', { query: '{' }, 'GRAPHQL_PARSE_FAILED'],
    ['a wrong cursor', { query: WATCH, variables: { after: 'x' } }, 'BAD_USER_INPUT'],
  ])('tells of %s in the stream', async (_title, body, code) => {
    const { response, next } = await open(body);
    expect(response.status).toBe(200);
    expect(JSON.parse((await next())!.data!)).toMatchObject({ errors: [{ extensions: { code } }] });
    expect(await next()).toMatchObject({ event: 'complete' });
  });

  it.each([
    ['another site', { origin: 'https://evil.example' }, 403],
    ['a form', { 'content-type': 'text/plain' }, 415],
    ['a client that wants JSON', { accept: 'application/json' }, 406],
  ])('refuses %s', async (_title, headers, status) => {
    const { response } = await open({ query: '{ __typename }' }, headers);
    expect(response.status).toBe(status);
  });

  it('refuses a mutation in a URL', async () => {
    const { next } = await open(`query=${encodeURIComponent('mutation { __typename }')}`);
    expect(JSON.parse((await next())!.data!)).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
  });
});
