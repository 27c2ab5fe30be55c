import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { createClient, type GraphqlClient } from '../../src/graphql/client.js';
import {
  AmrTasksDocument,
  MeterReadingAddedDocument,
  TaskRunUpdatedDocument,
  type MeterReadingAddedSubscriptionVariables,
} from '../../src/graphql/generated/graphql.js';
import { startGraphqlServer, type GraphqlServer } from '../../src/graphql/server.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { createServices } from '../../src/services/index.js';
import { announceRuns } from '../../src/services/run-events.js';
import { instantOfUuid, uuidAt } from '../../src/domain/uuid.js';
import { silentLog } from '../support/broker.js';
import { batchOf, commitBatches, take } from '../support/committed-readings.js';
import type { ReadinessReport } from '../../src/lifecycle.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let db: TestDatabase;
let broker: MemoryBroker;
let server: GraphqlServer;
let client: GraphqlClient;
const meter = randomUUID();

let report: ReadinessReport = { ok: true, parts: { database: 'ok', broker: 'ok' } };
const start = (httpPort = 0) =>
  startGraphqlServer({
    config: { httpHost: '127.0.0.1', httpPort, auth: 'off', oidc: undefined },
    database: db.database,
    broker,
    log: silentLog,
    services: createServices({ database: db.database, broker, credentialsPublicKey: undefined, log: silentLog }),
    readiness: async () => report,
  });

beforeAll(async () => {
  db = await createTestDatabase();
  broker = new MemoryBroker(silentLog);
  await db.database.pool.query('insert into meter_device (id, organization_id, name) values ($1, $2, $3)', [
    meter,
    DEFAULT_ORGANIZATION_ID,
    'EK280-0042',
  ]);
  server = await start();
  client = createClient({ url: `${server.url}/graphql` });
});
afterAll(async () => {
  await server?.close();
  await broker?.close();
  await db?.drop();
});

const post = (body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

interface Answer {
  data?: Record<string, unknown> | null;
  errors?: { message: string; extensions: { code: string; field?: string } }[];
}
const answerOf = async (response: Response) => (await response.json()) as Answer;

/** A socket that speaks the protocol by hand, for what a well-behaved client does not do. */
async function rawSocket(options: { origin?: string } = {}) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/graphql`, 'graphql-transport-ws', options);
  const received: { id?: string; type: string; payload?: unknown }[] = [];
  let wake = () => undefined as void;
  socket.on('message', (data: Buffer) => {
    received.push(JSON.parse(data.toString()) as (typeof received)[number]);
    wake();
  });
  const send = (message: object) => socket.send(JSON.stringify(message));
  const next = async (): Promise<(typeof received)[number]> => {
    while (received.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return received.shift()!;
  };
  await once(socket, 'open');
  send({ type: 'connection_init' });
  expect(await next()).toEqual({ type: 'connection_ack' });
  return { socket, send, next };
}
const subscribe = (id: string, query: string) => ({ id, type: 'subscribe', payload: { query } });

describe('HTTP', () => {
  it('answers typed documents', async () => {
    const { amrTasks } = await client.request(AmrTasksDocument, {});
    expect(amrTasks).toMatchObject({ totalCount: 0, nodes: [] });
  });

  it('refuses what a form of another site could send', async () => {
    const response = await post('query=%7B__typename%7D', { 'content-type': 'text/plain' });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    const get = await fetch(`${server.url}/graphql?query=%7B__typename%7D`);
    expect(get.status).toBe(400);
  });

  it.each([
    ['{', 400, 'GRAPHQL_PARSE_FAILED'],
    ['{ nonsense }', 400, 'GRAPHQL_VALIDATION_FAILED'],
    [`{ ${'amrTasks { nodes { id } } '.repeat(2000)} }`, 400, 'LIMIT_EXCEEDED'],
    [`{ ${Array.from({ length: 300 }, (_, i) => `a${i}: __typename`).join(' ')} }`, 400, 'LIMIT_EXCEEDED'],
  ])('refuses a wrong document with its code: %.20s', async (query, status, code) => {
    const response = await post({ query });
    expect(response.status).toBe(status);
    expect((await answerOf(response)).errors![0]!.extensions.code).toBe(code);
  });

  it('refuses a subscription, which needs a WebSocket, and says where that is', async () => {
    const response = await post({ query: 'subscription { meterReadingAdded { value } }' });
    expect(response.status).toBe(400);
    expect((await answerOf(response)).errors).toEqual([
      {
        message: `Subscriptions run over WebSocket (graphql-transport-ws) at ws://127.0.0.1:${server.port}/graphql.`,
        extensions: { code: 'BAD_REQUEST' },
      },
    ]);
  });

  it('names a wrong variable', async () => {
    const query = 'query ($id: ID!) { amrTask(id: $id) { id } }';
    const { errors } = await answerOf(await post({ query, variables: { id: {} } }));
    expect(errors![0]).toMatchObject({
      message: expect.stringContaining('$id') as string,
      extensions: { code: 'BAD_USER_INPUT' },
    });
  });

  it('answers a body that is no JSON, and one that is too large, in the form of GraphQL', async () => {
    const broken = await post('{"query":');
    expect(broken.status).toBe(400);
    expect((await answerOf(broken)).errors![0]!.extensions.code).toBe('BAD_REQUEST');
    const large = await post({ query: '{ __typename }', padding: 'x'.repeat(1_000_000) });
    expect(large.status).toBe(413);
    expect((await answerOf(large)).errors![0]!.extensions.code).toBe('LIMIT_EXCEEDED');
  });

  it('serves health, metrics and GraphiQL with safe headers', async () => {
    const live = await fetch(`${server.url}/health/live`);
    expect(await live.json()).toEqual({ ok: true });
    expect(live.headers.get('x-content-type-options')).toBe('nosniff');
    expect(live.headers.get('content-security-policy')).toContain("default-src 'none'");
    const ready = await fetch(`${server.url}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([200, report]);
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain('amr_subscribers');
    expect((await fetch(server.url, { redirect: 'manual' })).headers.get('location')).toBe('/graphiql');
  });

  it('says what is missing when it is not ready', async () => {
    report = { ok: false, parts: { database: 'ok', broker: 'not connected' } };
    const ready = await fetch(`${server.url}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([503, report]);
  });

  it('does not start on a port in use, and names the port and the cure', async () => {
    await expect(start(server.port)).rejects.toMatchObject({
      name: 'StartupError',
      message: expect.stringMatching(new RegExp(`port ${server.port}.*AMR_HTTP_PORT`)) as string,
    });
  });
});

describe('subscriptions', () => {
  it('deliver readings with their meter, and resume behind the last one', async () => {
    const watch = (after?: string) =>
      client.subscribe(MeterReadingAddedDocument, () => ({ filter: { meterDevices: [meter] }, after }));
    const first = watch();
    const started = first.next();
    await subscribed('meterReadingAdded');
    await commitBatches(db.database, broker, [batchOf({ meter, count: 3 })]);
    const seen = [(await started).value!, ...(await take(first, 1))].map(({ meterReadingAdded }) => meterReadingAdded);
    expect(seen[0]).toMatchObject({
      value: '0',
      unit: 'm3',
      timestamp: '2026-01-31T00:00:00.000Z',
      meterDevice: { name: 'EK280-0042' },
    });
    await first.return!();
    const second = watch(seen[1]!.cursor!);
    expect((await take(second, 1))[0]!.meterReadingAdded.value).toBe('2');
    await second.return!();
  });

  it('deliver runs with their latest state', async () => {
    const id = uuidAt();
    const insert = `insert into task_run (id, scheduled_for, organization_id, origin, state, meter_device_id, meter_execution_type, task_call, task_kwargs, not_before, deadline)
      values ($1, $4, $2, 'on_demand', 'running', $3, 'generic_lis200', 'set_time', '{}', now(), now())`;
    await db.database.pool.query(insert, [id, DEFAULT_ORGANIZATION_ID, meter, new Date(instantOfUuid(id)!)]);
    const runs = client.subscribe(TaskRunUpdatedDocument, () => ({ filter: { meterDevice: meter } }));
    const next = runs.next();
    await subscribed('taskRunUpdated');
    await announceRuns(broker, [{ id, organization_id: DEFAULT_ORGANIZATION_ID }]);
    expect((await next).value!.taskRunUpdated).toMatchObject({ id, state: 'RUNNING' });
    await runs.return!();
  });

  it('that ask for an unknown meter are refused with code and field', async () => {
    const variables: MeterReadingAddedSubscriptionVariables = { filter: { meterDevices: [randomUUID()] } };
    await expect(client.subscribe(MeterReadingAddedDocument, () => variables).next()).rejects.toMatchObject({
      name: 'GraphqlRequestError',
      code: 'NOT_FOUND',
      field: 'filter.meterDevices',
    });
  });

  it('that ask for text nobody can store are refused with code and field', async () => {
    const variables: MeterReadingAddedSubscriptionVariables = { filter: { series: ['2:300', 'a\0'] } };
    await expect(client.subscribe(MeterReadingAddedDocument, () => variables).next()).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      field: 'filter.series.1',
    });
  });

  it('go on after the server was restarted, without hole or repeat', async () => {
    const last: { after?: string } = {};
    const port = server.port;
    const readings = client.subscribe(MeterReadingAddedDocument, () => ({
      filter: { meterDevices: [meter] },
      ...last,
    }));
    const first = readings.next();
    await subscribed('meterReadingAdded');
    await commitBatches(db.database, broker, [batchOf({ meter, count: 1, first: 100 })]);
    last.after = (await first).value!.meterReadingAdded.cursor!;
    const next = readings.next();
    await server.close();
    await commitBatches(db.database, broker, [batchOf({ meter, count: 1, first: 101 })]);
    server = await start(port);
    expect((await next).value!.meterReadingAdded.value).toBe('101');
    await readings.return!();
  });
});

describe('a WebSocket', () => {
  it('survives a document that is wrong; its other operations go on', async () => {
    const { socket, send, next } = await rawSocket();
    send(subscribe('live', 'subscription { meterReadingAdded { value } }'));
    await subscribed('meterReadingAdded');
    send(subscribe('syntax', '{'));
    expect(await next()).toMatchObject({
      id: 'syntax',
      type: 'error',
      payload: [{ extensions: { code: 'GRAPHQL_PARSE_FAILED' } }],
    });
    send(subscribe('unknown', '{ nonsense }'));
    expect(await next()).toMatchObject({
      id: 'unknown',
      type: 'error',
      payload: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }],
    });
    await commitBatches(db.database, broker, [batchOf({ meter, count: 1, first: 7 })]);
    expect(await next()).toMatchObject({
      id: 'live',
      type: 'next',
      payload: { data: { meterReadingAdded: { value: '7' } } },
    });
    socket.terminate();
  });

  it('carries a bounded number of operations', async () => {
    const { socket, send, next } = await rawSocket();
    for (let i = 0; i <= 100; i++) send(subscribe(String(i), 'subscription { taskRunUpdated { id } }'));
    expect(await next()).toMatchObject({
      id: '100',
      type: 'error',
      payload: [{ extensions: { code: 'LIMIT_EXCEEDED' } }],
    });
    socket.terminate();
  });

  it('of another site is refused', async () => {
    await expect(rawSocket({ origin: 'https://evil.example' })).rejects.toThrow('403');
    const { socket } = await rawSocket({ origin: server.url });
    socket.terminate();
  });

  it('that is not read holds little, and misses nothing when it is read again', async () => {
    const { socket, send, next } = await rawSocket();
    // Events of 4 KB: the buffers of the operating system fill with few of them.
    const padding = Array.from({ length: 100 }, (_, i) => `a${i}: receivedAt`).join(' ');
    send(subscribe('live', `subscription { meterReadingAdded { value meterDevice { name } ${padding} } }`));
    await subscribed('meterReadingAdded');
    socket.pause();
    const delivered = () => metric('amr_events_delivered_total{subscription="meterReadingAdded"}');
    const before = await delivered();
    const count = 10_000;
    await commitBatches(
      db.database,
      broker,
      Array.from({ length: 20 }, (_, i) => batchOf({ meter, count: count / 20, first: (i * count) / 20 })),
    );
    let last = before;
    const stalled = async () => {
      const same = last > before && last === (await delivered());
      last = await delivered();
      return same;
    };
    await expect.poll(stalled, { interval: 500, timeout: 20_000 }).toBe(true);
    expect(last - before).toBeLessThan(count);
    socket.resume();
    for (let i = 0; i < count; i++) {
      const { payload } = (await next()) as { payload: { data: { meterReadingAdded: { value: string } } } };
      if (payload.data.meterReadingAdded.value !== String(i)) throw new Error(`reading ${i} is missing`);
    }
    socket.terminate();
  }, 60_000);

  it('is closed with 1001 when the server stops', async () => {
    const other = await start();
    const socket = new WebSocket(`ws://127.0.0.1:${other.port}/graphql`, 'graphql-transport-ws');
    await once(socket, 'open');
    const closed = once(socket, 'close');
    await other.close();
    expect((await closed)[0]).toBe(1001);
  });
});

async function metric(line: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find((candidate) => candidate.startsWith(line))
      ?.slice(line.length) ?? 0,
  );
}

/** Resolves when a subscription of this name is open. */
async function subscribed(name: string): Promise<void> {
  await expect.poll(() => metric(`amr_subscribers{subscription="${name}"}`), { timeout: 5_000 }).toBeGreaterThan(0);
}
