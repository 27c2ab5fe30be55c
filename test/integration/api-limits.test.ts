import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/graphql/client.js';
import { AmrTasksDocument } from '../../src/graphql/generated/graphql.js';
import { startTestServer, type Answer, type TestServer } from '../support/api-server.js';

const answerOf = async (response: Response) => (await response.json()) as Answer;
const codesOf = async (response: Response) =>
  (await answerOf(response)).errors?.map(({ extensions }) => extensions.code);
const subscribe = (id: string, query: string) => ({ id, type: 'subscribe', payload: { query } });
const refusals = (api: TestServer, reason: string) => api.metric(`amr_api_refused_total{reason="${reason}"}`);

/** Runs with a server of these settings. */
async function withServer(settings: Parameters<typeof startTestServer>[0], work: (api: TestServer) => Promise<void>) {
  const api = await startTestServer(settings);
  try {
    await work(api);
  } finally {
    await api.close();
  }
}

describe('with the usual settings', () => {
  let api: TestServer;
  beforeAll(async () => {
    api = await startTestServer();
  });
  afterAll(() => api?.close());

  it('each answer tells what the operation could have cost, over HTTP and WebSocket', async () => {
    const query = '{ meterDevices(first: 20) { nodes { id } } }';
    const cost = { requested: 21, limit: 50_000 };
    expect((await answerOf(await api.post({ query }))).extensions).toEqual({ cost });
    const { socket, send, next } = await api.connect();
    send(subscribe('1', query));
    expect(await next()).toMatchObject({ type: 'next', payload: { extensions: { cost } } });
    socket.terminate();
  });

  const DEEP = `{ node(id: "x") { ... on MeterDevice ${'{ taskGroups { meterDevices { nodes '.repeat(6)}{ id }${'} } }'.repeat(6)} } }`;
  const RUNS = '{ meterDevices(first: 500) { nodes { taskRuns(first: $n) { nodes { id } } } } }';

  it.each([
    ['depth', { query: DEEP }, /levels deep; 16/],
    [
      'aliases',
      { query: `{ organization { ${Array.from({ length: 300 }, (_, i) => `a${i}: id`).join(' ')} } }` },
      /300|299/,
    ],
    ['root_fields', { query: `{ ${Array.from({ length: 101 }, (_, i) => `a${i}: __typename`).join(' ')} }` }, /100/],
    ['directives', { query: `{ __typename ${'@include(if: true) '.repeat(51)} }` }, /50 directives/],
    ['tokens', { query: `{ ${'__typename '.repeat(5_001)} }` }, /5000 tokens/],
    ['cost', { query: `query ($n: Int) ${RUNS}`, variables: { n: 500 } }, /can cost 251001; 50000/],
    ['cost', { query: `query ($n: Int = 500) ${RUNS}` }, /can cost 251001; 50000/],
  ])('refuses too much of %s before it is executed, and counts it', async (reason, body, message) => {
    const before = await refusals(api, reason);
    const { errors } = await answerOf(await api.post(body));
    const refused = errors!.find(({ extensions }) => extensions.code === 'LIMIT_EXCEEDED');
    expect(refused?.message).toMatch(message);
    const { socket, send, next } = await api.connect();
    send({ id: '1', type: 'subscribe', payload: body });
    const { type, payload } = await next();
    expect(type).toBe('error');
    expect(payload).toContainEqual(
      expect.objectContaining({ message: refused!.message, extensions: { code: 'LIMIT_EXCEEDED' } }),
    );
    expect(await refusals(api, reason)).toBe(before + 2);
    socket.terminate();
  });

  it('refuses a list of operations', async () => {
    const response = await api.post([{ query: '{ __typename }' }, { query: '{ __typename }' }]);
    expect(response.status).toBe(400);
    expect(await codesOf(response)).toEqual(['LIMIT_EXCEEDED']);
  });

  it('answers the introspection of GraphiQL, over HTTP and WebSocket', async () => {
    const query = getIntrospectionQuery({ descriptions: true, inputValueDeprecation: true, specifiedByUrl: true });
    expect((await answerOf(await api.post({ query }))).errors).toBeUndefined();
    const { socket, send, next } = await api.connect();
    send(subscribe('1', query));
    expect(await next()).toMatchObject({ type: 'next', payload: { data: { __schema: {} } } });
    socket.terminate();
  });

  it('refuses introspection that multiplies itself', async () => {
    const query = `{ __schema { types ${'{ fields { type '.repeat(6)}{ name }${'} }'.repeat(6)} } }`;
    expect(await codesOf(await api.post({ query }))).toContain('GRAPHQL_VALIDATION_FAILED');
  });

  describe('a document registered by its hash', () => {
    const query = `{ __typename a${randomUUID().slice(0, 8)}: __typename }`;
    const extensions = {
      persistedQuery: { version: 1, sha256Hash: createHash('sha256').update(query).digest('hex') },
    };

    it('is asked for, registered, and then known in every door', async () => {
      const unknown = await api.post({ extensions });
      expect(unknown.status).toBe(200);
      expect((await answerOf(unknown)).errors).toEqual([
        { message: 'PersistedQueryNotFound', extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } },
      ]);
      expect((await answerOf(await api.post({ query, extensions }))).data).toMatchObject({ __typename: 'Query' });
      expect((await answerOf(await api.post({ extensions }))).data).toMatchObject({ __typename: 'Query' });
      const got = await api.get({ extensions: JSON.stringify(extensions) });
      expect((await answerOf(got)).data).toMatchObject({ __typename: 'Query' });
      const { socket, send, next } = await api.connect();
      send({ id: '1', type: 'subscribe', payload: { query: '', extensions } });
      expect(await next()).toMatchObject({ type: 'next', payload: { data: { __typename: 'Query' } } });
      socket.terminate();
    });

    it.each([
      ['another hash', { persistedQuery: { version: 1, sha256Hash: 'abc' } }],
      ['another version', { persistedQuery: { version: 2, sha256Hash: 'abc' } }],
      ['no hash', { persistedQuery: {} }],
    ])('is refused with %s', async (_what, wrong) => {
      const response = await api.post({ query, extensions: wrong });
      expect(response.status).toBe(400);
      expect(await codesOf(response)).toEqual(['BAD_USER_INPUT']);
    });
  });
});

describe('an operation that takes too long', () => {
  const LIST = '{ segments { nodes { name } } }';
  const ONE = `{ organization { name } }`;
  let api: TestServer;
  beforeAll(async () => {
    api = await startTestServer({ apiTimeoutMs: 1_000 });
  });
  afterAll(() => api?.close());

  /** Holds `table` so that every query of it waits, until `work` has ended. */
  async function held(table: string, work: () => Promise<void>): Promise<void> {
    const client = await api.test.database.pool.connect();
    try {
      await client.query('begin');
      await client.query(`lock table ${table} in access exclusive mode`);
      await work();
      await expect.poll(() => waiting(), { timeout: 10_000 }).toBe(0);
    } finally {
      await client.query('rollback');
      client.release();
    }
  }
  const waiting = async () => {
    const { rows } = await api.test.database.pool.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows[0]!.count;
  };

  it('ends with TIMEOUT over HTTP, its SQL is cancelled, through the ORM and the pool', async () => {
    await held('segment, alert', async () => {
      const before = await refusals(api, 'timeout');
      const responses = await Promise.all([
        api.post({ query: LIST }),
        api.post({ query: '{ alerts { nodes { id } } }' }),
      ]);
      for (const response of responses) {
        expect(response.status).toBe(503);
        expect(await codesOf(response)).toEqual(['TIMEOUT']);
      }
      expect(await refusals(api, 'timeout')).toBe(before + 2);
    });
    expect((await answerOf(await api.post({ query: LIST }))).errors).toBeUndefined();
  });

  it('ends alone on a WebSocket', async () => {
    const { socket, send, next } = await api.connect();
    await held('segment', async () => {
      send(subscribe('slow', LIST));
      send(subscribe('quick', ONE));
      expect(await next()).toMatchObject({ id: 'quick', type: 'next' });
      expect(await next()).toMatchObject({ id: 'quick', type: 'complete' });
      expect(await next()).toMatchObject({ id: 'slow', payload: { errors: [{ extensions: { code: 'TIMEOUT' } }] } });
    });
    socket.terminate();
  });

  it('changes nothing when it is a mutation, whose transaction is rolled back', async () => {
    const name = 'too late';
    await held('amr_task_group', async () => {
      const query = `mutation { createAmrTaskGroup(input: {name: "${name}"}) { amrTaskGroup { id } } }`;
      expect(await codesOf(await api.post({ query }))).toEqual(['TIMEOUT']);
    });
    const { rows } = await api.test.database.pool.query('select 1 from amr_task_group where name = $1', [name]);
    expect(rows).toEqual([]);
  });

  it('leaves the connections fit for others', async () => {
    await held('segment', async () => {
      await Promise.all(Array.from({ length: 15 }, () => api.post({ query: LIST })));
    });
    const answers = await Promise.all(Array.from({ length: 15 }, () => api.post({ query: LIST })));
    for (const answer of answers) expect((await answerOf(answer)).errors).toBeUndefined();
  });
});

describe('a caller', () => {
  it('is refused requests beyond its rate, over HTTP and WebSocket together; others are not', async () => {
    await withServer({ apiRate: 1 }, async (api) => {
      const { socket, send, next } = await api.connect();
      const statuses = [];
      for (let i = 0; i < 12; i++) statuses.push((await api.post({ query: '{ __typename }' })).status);
      expect(statuses.slice(0, 10)).toEqual(Array(10).fill(200));
      const refused = await api.post({ query: '{ __typename }' });
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await codesOf(refused)).toEqual(['LIMIT_EXCEEDED']);
      send(subscribe('1', '{ __typename }'));
      expect(await next()).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'LIMIT_EXCEEDED' } }] });
      expect((await api.post({ query: '{ __typename }' }, { authorization: 'Bearer other' })).status).toBe(200);
      expect(await refusals(api, 'rate')).toBeGreaterThanOrEqual(2);
      socket.terminate();
    });
  });

  it('is refused more connections than are allowed, in a way that it comes back; one that ends makes room', async () => {
    await withServer({ apiMaxConnections: 2 }, async (api) => {
      const [first] = [await api.connect(), await api.connect()];
      expect(await (await api.open()).closed).toMatchObject({ code: 1013 });
      first.socket.close();
      await first.closed;
      await expect.poll(async () => (await api.connect().catch(() => undefined)) !== undefined).toBe(true);
      expect(await refusals(api, 'connections')).toBeGreaterThanOrEqual(1);
    });
  });

  it('is refused more connections with one token than are allowed', async () => {
    await withServer({ apiMaxConnections: 3 }, async (api) => {
      const headers = { authorization: 'Bearer t' };
      // By header and by connection_init it is the same caller.
      await api.connect(headers);
      const second = await api.open();
      second.send({ type: 'connection_init', payload: { authorization: 'Bearer t' } });
      expect(await second.next()).toEqual({ type: 'connection_ack' });
      await api.connect(headers);
      expect(await (await api.open()).closed).toMatchObject({ code: 1013 });
    });
  });

  it('is refused more subscriptions than are allowed; one that ends makes room', async () => {
    await withServer({ apiMaxSubscriptions: 2 }, async (api) => {
      const { socket, send, next } = await api.connect();
      const live = (id: string) => send(subscribe(id, 'subscription { taskRunUpdated { id } }'));
      ['a', 'b', 'c'].forEach(live);
      expect(await next()).toMatchObject({
        id: 'c',
        payload: { errors: [{ extensions: { code: 'LIMIT_EXCEEDED' } }] },
      });
      expect(await next()).toEqual({ id: 'c', type: 'complete' });
      send({ id: 'a', type: 'complete' });
      live('d');
      live('e');
      expect(await next()).toMatchObject({
        id: 'e',
        payload: { errors: [{ extensions: { code: 'LIMIT_EXCEEDED' } }] },
      });
      socket.terminate();
    });
  });
});

it('introspection can be switched off, in every door', async () => {
  await withServer({ introspection: false }, async (api) => {
    const query = '{ __schema { types { name } } }';
    expect(await codesOf(await api.post({ query }))).toContain('GRAPHQL_VALIDATION_FAILED');
    expect(await codesOf(await api.get({ query }))).toContain('GRAPHQL_VALIDATION_FAILED');
    const { socket, send, next } = await api.connect();
    send(subscribe('1', query));
    expect(await next()).toMatchObject({ type: 'error' });
    send(subscribe('2', '{ __typename }'));
    expect(await next()).toMatchObject({ type: 'next', payload: { data: { __typename: 'Query' } } });
    socket.terminate();
  });
});

describe('persisted operations', () => {
  let folder: string;
  const NAME = 'query Name { organization { name } }';
  const fileOf = async (content: unknown) => {
    const file = join(folder, `${randomUUID()}.json`);
    await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
    return file;
  };
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'amr-operations-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('are carried out by their id; when they are all that is allowed, nothing else is', async () => {
    const settings = { operationsFile: await fileOf({ name: NAME }), onlyPersistedOperations: true };
    await withServer(settings, async (api) => {
      const data = { organization: { name: expect.any(String) as string } };
      const persistedQuery = { version: 1, sha256Hash: 'name' };
      expect((await answerOf(await api.post({ documentId: 'name' }))).data).toEqual(data);
      expect((await answerOf(await api.post({ extensions: { persistedQuery } }))).data).toEqual(data);
      expect((await answerOf(await api.get({ documentId: 'name' }))).data).toEqual(data);
      expect((await answerOf(await api.post({ query: NAME }))).data).toEqual(data);
      expect(await codesOf(await api.post({ documentId: 'other' }))).toEqual(['PERSISTED_QUERY_NOT_FOUND']);

      const other = '{ __typename }';
      const sha256Hash = createHash('sha256').update(other).digest('hex');
      const refused = await api.post({ query: other });
      expect([refused.status, await codesOf(refused)]).toEqual([403, ['PERSISTED_QUERY_ONLY']]);
      expect(await codesOf(await api.get({ query: other }))).toEqual(['PERSISTED_QUERY_ONLY']);
      const registering = { query: other, extensions: { persistedQuery: { version: 1, sha256Hash } } };
      expect(await codesOf(await api.post(registering))).toEqual(['PERSISTED_QUERY_ONLY']);
      expect(await codesOf(await api.post({ extensions: registering.extensions }))).toEqual([
        'PERSISTED_QUERY_NOT_FOUND',
      ]);

      const { socket, send, next } = await api.connect();
      send({ id: '1', type: 'subscribe', payload: { query: '', extensions: { persistedQuery } } });
      expect(await next()).toMatchObject({ type: 'next', payload: { data } });
      await next();
      send(subscribe('2', other));
      expect(await next()).toMatchObject({
        type: 'error',
        payload: [{ extensions: { code: 'PERSISTED_QUERY_ONLY' } }],
      });
      socket.terminate();

      // What `amr` itself asks always passes.
      expect(await createClient({ url: api.url }).request(AmrTasksDocument, {})).toHaveProperty('amrTasks');
    });
  });

  it.each([
    ['is not there', undefined, /ENOENT/],
    ['is no JSON', '{', /JSON/],
    ['is no object of texts', { a: 7 }, /a: /],
    ['has a wrong document', { a: '{' }, /document of a is wrong/],
  ])('stop the start when their file %s', async (_what, content, message) => {
    const operationsFile = content === undefined ? join(folder, 'missing.json') : await fileOf(content);
    await expect(startTestServer({ operationsFile })).rejects.toMatchObject({
      name: 'StartupError',
      message: expect.stringMatching(message) as string,
    });
  });

  it('stop the start when they are all that is allowed and there are none', async () => {
    await expect(startTestServer({ onlyPersistedOperations: true })).rejects.toMatchObject({
      name: 'StartupError',
      message: expect.stringContaining('AMR_OPERATIONS_FILE') as string,
    });
  });
});
