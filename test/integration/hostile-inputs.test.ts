import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type Answer, type TestServer } from '../support/api-server.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { createTokenSecret, digestOfToken } from '../../src/token-secret.js';
import { insertMeter } from '../support/rows.js';

/** The one that the doors lead to. */
let api: TestServer;
let open: TestServer;
/** Asks for a token. */
let guarded: TestServer;
const logged: string[] = [];

beforeAll(async () => {
  const log = pino({ level: 'error' }, { write: (line: string) => void logged.push(line) });
  api = open = await startTestServer({}, log);
  guarded = await startTestServer({ auth: 'required' }, log);
  await insertMeter(api.test.database.pool, 'read');
});
afterAll(() => Promise.all([open?.close(), guarded?.close()]));

interface Request {
  query?: unknown;
  variables?: unknown;
  operationName?: unknown;
  documentId?: unknown;
  extensions?: unknown;
}

/** What came back: an answer, or the code a connection or request ended with and nothing else. */
interface Outcome {
  answer?: Answer;
  ended?: number;
  text: string;
}

interface Door {
  readonly ask: (request: Request, headers?: Record<string, string>) => Promise<Outcome>;
  /** The same as text, for what `JSON.stringify` does not write; a door without it has no place for such. */
  readonly askRaw?: (json: string) => Promise<Outcome>;
}

async function outcomeOf(response: Response): Promise<Outcome> {
  const text = await response.text();
  if (text === '') return { ended: response.status, text };
  const event = /^event: next\ndata: (.*)$/m.exec(text)?.[1];
  return { answer: JSON.parse(event ?? text) as Answer, text };
}

async function overWebSocket(payload: string, headers?: Record<string, string>): Promise<Outcome> {
  const { socket, send, next, closed } = await api.open(headers && { headers });
  try {
    send('{"type":"connection_init"}');
    await next();
    send(`{"id":"1","type":"subscribe","payload":${payload}}`);
    const message = await next();
    const text = JSON.stringify(message);
    const { payload: answer } = message;
    return { text, answer: (message.type === 'error' ? { errors: answer } : answer) as Answer };
  } catch {
    const { code, reason } = await closed;
    return { ended: code, text: reason };
  } finally {
    socket.terminate();
  }
}

const parametersOf = (request: Request) =>
  Object.fromEntries(
    Object.entries(request).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
  );

const DOORS: Record<string, Door> = {
  'HTTP POST': {
    ask: async (request, headers) => outcomeOf(await api.post(request, headers)),
    askRaw: async (json) => outcomeOf(await api.post(json)),
  },
  'HTTP GET': { ask: async (request, headers) => outcomeOf(await api.get(parametersOf(request), headers)) },
  WebSocket: {
    ask: (request, headers) => overWebSocket(JSON.stringify(request), headers),
    askRaw: (json) => overWebSocket(json),
  },
  'event stream': {
    ask: async (request: Request, headers?: Record<string, string>) =>
      outcomeOf(
        await fetch(`${api.url}/stream`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...headers },
          body: JSON.stringify(request),
        }),
      ),
  },
};

/** Codes of GraphQL errors; 'data' when the request is to be answered as any other. */
type Expected = 'data' | readonly string[];
interface Row extends Request {
  what: string;
  expected: Expected;
}

const BY_NAME = 'query ($t: String) { meterDevices(filter: {name: $t}) { totalCount nodes { id } } }';
const BY_PART = 'query ($t: String) { meterDevices(filter: {nameContains: $t}) { totalCount } }';
const BY_ID = 'query ($t: ID!) { meterDevice(id: $t) { id } }';
const PAGE = 'query ($n: Int, $a: String) { meterDevices(first: $n, after: $a) { totalCount } }';
const READINGS = 'query ($t: DateTime!) { readings(meterDevice: "x", from: $t, to: "2026-01-02T00:00:00Z") { next } }';
const PLAN = `query ($k: JSONObject!) { planAmrTask(input: {schedule: DAILY, meterExecutionType: "generic_lis200",
  taskCall: "set_time", taskKwargs: $k}) { metersReached } }`;

const WRONG_DOCUMENT = ['GRAPHQL_PARSE_FAILED', 'GRAPHQL_VALIDATION_FAILED'];
const WRONG_INPUT = ['BAD_USER_INPUT', 'NOT_FOUND'];
const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) });

const INJECTIONS = [
  `'; drop table meter_device; --`,
  `' or '1'='1`,
  `" or ""="`,
  `\\' or 1=1 --`,
  '$1',
  '${7*7}{{7*7}}#{7*7}',
  '<script>alert(1)</script>',
  '../../../../etc/passwd',
  '\u202eevil\u202c',
  '👩‍👩‍👧‍👦',
  '\ufeff',
  '\r\nSet-Cookie: a=b',
];

const ROWS: Row[] = [
  ...INJECTIONS.map((t): Row => ({
    what: `the name ${JSON.stringify(t)}`,
    query: BY_NAME,
    variables: { t },
    expected: 'data',
  })),
  ...['%', '_', '\\', '%%%', `%' or '1'='1`].map((t): Row => ({
    what: `a part of a name, ${t}`,
    query: BY_PART,
    variables: { t },
    expected: 'data',
  })),
  ...INJECTIONS.slice(0, 5).flatMap((t): Row[] => [
    { what: `the id ${t}`, query: BY_ID, variables: { t }, expected: 'data' },
    { what: `the cursor ${t}`, query: PAGE, variables: { a: t }, expected: ['BAD_USER_INPUT'] },
  ]),
  {
    what: 'an injection in a literal',
    query: `{ amrTasks(filter: {name: "' or 1=1; --"}) { totalCount } }`,
    expected: 'data',
  },
  { what: 'NUL', query: BY_NAME, variables: { t: 'a\0b' }, expected: ['BAD_USER_INPUT'] },
  {
    what: 'NUL in a literal',
    query: '{ meterDevices(filter: {name: "\\u0000"}) { totalCount } }',
    expected: ['BAD_USER_INPUT'],
  },
  { what: 'half of a surrogate pair', query: BY_NAME, variables: { t: 'a\ud800' }, expected: ['BAD_USER_INPUT'] },
  {
    what: 'half of a surrogate pair in a document',
    query: '{ meterDevices(filter: {name: "\\ud800"}) { totalCount } }',
    expected: WRONG_DOCUMENT,
  },
  { what: 'a control character in a document', query: '{ __typename \u0007 }', expected: WRONG_DOCUMENT },
  { what: 'a name in another alphabet', query: '{ οrganization { id } }', expected: WRONG_DOCUMENT },
  { what: 'an empty document', query: '#', expected: WRONG_DOCUMENT },
  { what: 'brackets that never close', query: '{ a '.repeat(2_000), expected: [...WRONG_DOCUMENT, 'LIMIT_EXCEEDED'] },
  {
    what: 'a deep document',
    query: `{ organization ${'{ a '.repeat(200)}${'} '.repeat(201)}`,
    expected: ['LIMIT_EXCEEDED', ...WRONG_DOCUMENT],
  },
  {
    what: 'a deep list in a literal',
    query: `{ node(id: ${'['.repeat(2_000)}${']'.repeat(2_000)}) { id } }`,
    expected: ['LIMIT_EXCEEDED', ...WRONG_DOCUMENT],
  },
  {
    what: 'many aliases',
    query: `{ organization { ${Array.from({ length: 250 }, (_, i) => `a${i}: id`).join(' ')} } }`,
    expected: ['LIMIT_EXCEEDED'],
  },
  {
    what: 'many directives',
    query: `{ __typename ${'@skip(if: false) '.repeat(200)} }`,
    expected: ['LIMIT_EXCEEDED', ...WRONG_DOCUMENT],
  },
  { what: 'many tokens', query: `{ ${'a '.repeat(5_500)} }`, expected: ['LIMIT_EXCEEDED'] },
  { what: 'an unknown directive', query: '{ __typename @defer @evil(a: 1) }', expected: WRONG_DOCUMENT },
  {
    what: 'a fragment that contains itself',
    query: '{ organization { ...a } } fragment a on Organization { ...b } fragment b on Organization { ...a }',
    expected: WRONG_DOCUMENT,
  },
  {
    what: 'pages in pages',
    query: '{ meterDevices(first: 500) { nodes { taskRuns(first: 500) { nodes { meterDevice { id } } } } } }',
    expected: ['LIMIT_EXCEEDED'],
  },
  { what: 'a page without end', query: PAGE, variables: { n: 2_147_483_647 }, expected: ['BAD_USER_INPUT'] },
  { what: 'a page of less than nothing', query: PAGE, variables: { n: -1 }, expected: ['BAD_USER_INPUT'] },
  { what: 'a number beyond 32 bits', query: PAGE, variables: { n: 2_147_483_648 }, expected: ['BAD_USER_INPUT'] },
  { what: 'a huge number', query: PAGE, variables: { n: 1e308 }, expected: ['BAD_USER_INPUT'] },
  {
    what: 'a number of 5,000 digits',
    query: `{ meterDevices(first: ${'9'.repeat(5_000)}) { totalCount } }`,
    expected: WRONG_DOCUMENT,
  },
  { what: 'a fraction for a whole number', query: PAGE, variables: { n: 1.5 }, expected: ['BAD_USER_INPUT'] },
  ...['+275760-09-13T00:00:00Z', '0000-00-00T00:00:00Z', '2026-13-45T99:99:99Z', 'now', 'infinity', '-1', ''].map(
    (t): Row => ({
      what: `the time ${t}`,
      query: READINGS,
      variables: { t },
      expected: WRONG_INPUT,
    }),
  ),
  ...[7, true, [], {}, { t: 1 }, ['a', 'b'], null].map((t): Row => ({
    what: `for a time ${JSON.stringify(t)}`,
    query: READINGS,
    variables: { t },
    expected: ['BAD_USER_INPUT'],
  })),
  ...[true, {}, { toString: 'x' }, [['x']]].map((t): Row => ({
    what: `for an id ${JSON.stringify(t)}`,
    query: BY_ID,
    variables: { t },
    expected: ['BAD_USER_INPUT', ...WRONG_INPUT],
  })),
  {
    what: 'an unknown enum value',
    query: 'query ($s: AmrSchedule) { amrTasks(filter: {schedule: $s}) { totalCount } }',
    variables: { s: 'constructor' },
    expected: ['BAD_USER_INPUT'],
  },
  {
    what: 'an unknown enum value in a literal',
    query: '{ amrTasks(filter: {schedule: __proto__}) { totalCount } }',
    expected: WRONG_DOCUMENT,
  },
  { what: 'a field of every object', query: '{ constructor { name } }', expected: WRONG_DOCUMENT },
  { what: 'the field __proto__', query: '{ __proto__ { polluted } }', expected: WRONG_DOCUMENT },
  {
    what: 'a variable named __proto__',
    query: 'query ($__proto__: String) { meterDevices(filter: {name: $__proto__}) { totalCount } }',
    expected: 'data',
  },
  { what: 'an alias named __proto__', query: '{ __proto__: organization { constructor: id } }', expected: 'data' },
  {
    what: 'variables named as parts of every object',
    query: BY_NAME,
    variables: { t: 'x', constructor: 'y', toString: 1, hasOwnProperty: null },
    expected: 'data',
  },
  {
    what: 'a filter with the key constructor',
    query: 'query ($f: MeterDeviceFilter) { meterDevices(filter: $f) { totalCount } }',
    variables: { f: { constructor: { name: 'x' } } },
    expected: ['BAD_USER_INPUT'],
  },
  {
    what: 'JSON with the key constructor',
    query: PLAN,
    variables: { k: { constructor: { polluted: true } } },
    expected: ['BAD_USER_INPUT'],
  },
  {
    what: 'JSON with the key __proto__ in a literal',
    query: PLAN.replace('($k: JSONObject!)', '').replace('$k', '{__proto__: {polluted: true}}'),
    expected: ['BAD_USER_INPUT'],
  },
  { what: 'JSON nested deep', query: PLAN, variables: { k: nested(500) }, expected: ['BAD_USER_INPUT'] },
  {
    what: 'the operation __proto__',
    query: 'query a { __typename } query b { __typename }',
    operationName: '__proto__',
    expected: ['OPERATION_RESOLUTION_FAILURE'],
  },
  {
    what: 'an operation that is not named',
    query: 'query a { __typename } query b { __typename }',
    expected: ['OPERATION_RESOLUTION_FAILURE'],
  },
  {
    what: 'the persisted operation __proto__',
    query: '',
    documentId: '__proto__',
    expected: ['PERSISTED_QUERY_NOT_FOUND'],
  },
  {
    what: 'the hash constructor',
    query: '',
    extensions: { persistedQuery: { version: 1, sha256Hash: 'constructor' } },
    expected: ['PERSISTED_QUERY_NOT_FOUND'],
  },
  {
    what: 'a hash that is none',
    query: '',
    extensions: { persistedQuery: { version: 1, sha256Hash: ['a'] } },
    expected: ['BAD_USER_INPUT'],
  },
];

/** As text, where an object would not do. `closes` is the code of a WebSocket that is closed for it. */
const RAW_ROWS: { what: string; json: string; expected: Expected; closes?: number }[] = [
  {
    what: 'a filter with __proto__',
    json: `{"query":"query ($f: MeterDeviceFilter) { meterDevices(filter: $f) { totalCount } }","variables":{"f":{"__proto__":{"name":"x"}}}}`,
    expected: ['BAD_REQUEST', 'BAD_USER_INPUT'],
  },
  {
    what: 'JSON with __proto__',
    json: `{"query":${JSON.stringify(PLAN)},"variables":{"k":{"__proto__":{"polluted":true}}}}`,
    expected: ['BAD_REQUEST', 'BAD_USER_INPUT'],
  },
  {
    what: 'an infinite number',
    json: `{"query":${JSON.stringify(PAGE)},"variables":{"n":1e999}}`,
    expected: ['BAD_USER_INPUT'],
  },
  { what: 'a query that is a number', json: '{"query":7}', expected: ['BAD_REQUEST'], closes: 4400 },
  {
    what: 'a query that is a document',
    json: '{"query":{"kind":"Document","definitions":[]}}',
    expected: ['BAD_REQUEST'],
    closes: 4400,
  },
  {
    what: 'variables that are text',
    json: '{"query":"{ __typename }","variables":"{}"}',
    expected: ['BAD_REQUEST'],
    closes: 4400,
  },
  {
    what: 'variables that are a list',
    json: '{"query":"{ __typename }","variables":[]}',
    expected: ['BAD_REQUEST'],
    closes: 4400,
  },
  {
    what: 'an operation name that is an object',
    json: '{"query":"{ __typename }","operationName":{}}',
    expected: ['BAD_REQUEST'],
    closes: 4400,
  },
  {
    what: 'extensions that are text',
    json: '{"query":"{ __typename }","extensions":"x"}',
    expected: ['BAD_REQUEST'],
    closes: 4400,
  },
  {
    what: 'a list of operations',
    json: '[{"query":"{ __typename }"},{"query":"{ __typename }"}]',
    expected: ['LIMIT_EXCEEDED'],
    closes: 4400,
  },
  { what: 'an empty list', json: '[]', expected: ['LIMIT_EXCEEDED'], closes: 4400 },
  { what: 'null', json: 'null', expected: ['BAD_REQUEST'], closes: 4400 },
  { what: 'no JSON', json: '{"query":', expected: ['BAD_REQUEST'], closes: 4400 },
  {
    what: 'JSON nested deep',
    json: `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    expected: ['LIMIT_EXCEEDED', 'BAD_REQUEST'],
    closes: 4400,
  },
  {
    what: 'more than fits',
    json: JSON.stringify({ query: '{ __typename }', padding: 'x'.repeat(1_000_000) }),
    expected: ['LIMIT_EXCEEDED'],
    closes: 1009,
  },
];

/** Of how the server is made: nothing a client needs. */
const LEAKS = [
  /\bat .+:\d+:\d+/,
  /node_modules/,
  /syntax error at or near/,
  /(column|relation) \\?"/,
  /Exception/,
  /stacktrace/,
];

function expectNothingLeaked(text: string): void {
  for (const leak of LEAKS) expect(text).not.toMatch(leak);
  expect(text).not.toContain(process.cwd());
}

function expectOutcome({ answer, text }: Outcome, expected: Expected): void {
  expectNothingLeaked(text);
  if (expected === 'data') {
    expect(answer?.errors).toBeUndefined();
    expect(answer?.data).toBeTruthy();
    return;
  }
  expect(answer?.data ?? undefined).toSatisfy(
    (data: Record<string, unknown> | undefined) =>
      data === undefined || Object.values(data).every((item) => item === null),
  );
  expect(expected).toContain(answer?.errors?.[0]?.extensions.code);
}

describe.each(Object.entries(DOORS))('%s', (_name, door) => {
  // The process is as before: it answers, and no object has got a property.
  afterEach(async () => {
    expect((await door.ask({ query: '{ __typename }' })).answer?.data).toEqual({ __typename: 'Query' });
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('polluted');
    expect('polluted' in {}).toBe(false);
    expect(logged.splice(0)).toEqual([]);
  });

  it.each(ROWS)('answers $what as it should', async ({ what: _what, expected, ...request }) => {
    expectOutcome(await door.ask(request), expected);
  });

  it.runIf(door.askRaw).each(RAW_ROWS)('answers $what as it should', async ({ json, expected, closes }) => {
    const outcome = await door.askRaw!(json);
    expectNothingLeaked(outcome.text);
    if (outcome.ended === undefined) expectOutcome(outcome, expected);
    else expect(outcome.ended).toBe(closes);
  });
});

describe.each(Object.entries(DOORS))('%s, where a token is asked for', (_name, door) => {
  beforeAll(() => {
    api = guarded;
  });
  afterAll(() => {
    api = open;
  });

  /** A token of the default organization that was good once. */
  const formerToken = async (column: 'expires_at' | 'revoked_at') => {
    const secret = createTokenSecret();
    await api.test.database.pool.query(
      `insert into api_token (id, organization_id, name, role, digest, ${column}) values ($1, $2, $3, 'admin', $4, now() - interval '1 minute')`,
      [uuidAt(), DEFAULT_ORGANIZATION_ID, secret, digestOfToken(secret)],
    );
    return secret;
  };

  it.each([
    ['expired', () => formerToken('expires_at')],
    ['revoked', () => formerToken('revoked_at')],
    ['of nobody', async () => createTokenSecret()],
    ['an injection', async () => "' or '1'='1"],
    ['long', async () => 'x'.repeat(5_000)],
  ])('refuses a token that is %s', async (_what, token) => {
    const outcome = await door.ask({ query: BY_NAME }, { authorization: `Bearer ${await token()}` });
    expectNothingLeaked(outcome.text);
    if (outcome.ended === undefined) expectOutcome(outcome, ['UNAUTHENTICATED']);
    else expect([4401, 4403]).toContain(outcome.ended);
  });
});

it('a variable that nobody asks for is not looked at, whatever it is named', async () => {
  const json = `{"query":${JSON.stringify(BY_NAME)},"variables":{"t":"x","__proto__":{"t":"read","polluted":true}}}`;
  expect((await overWebSocket(json)).answer?.data).toMatchObject({ meterDevices: { totalCount: 0 } });
  expect('polluted' in {}).toBe(false);
  const { answer } = await outcomeOf(await api.post(json));
  expect(answer?.errors?.[0]?.extensions.code).toBe('BAD_REQUEST');
});

it('a URL that is too long is refused', async () => {
  const response = await api.get({ query: `{ __typename #${'x'.repeat(100_000)}\n}` });
  expect(response.status).toBe(431);
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
});

it('nothing was changed by any of it', async () => {
  const { rows } = await api.test.database.pool.query<{ meters: number; tasks: number }>(
    'select (select count(*)::int from meter_device) as meters, (select count(*)::int from amr_task) as tasks',
  );
  expect(rows).toEqual([{ meters: 1, tasks: 0 }]);
});

describe('a fault of ours', () => {
  beforeAll(async () => {
    logged.length = 0;
    await api.test.database.pool.query('alter table segment rename to segment_away');
  });

  it.each(Object.entries(DOORS))('is masked under an id that the log has too: %s', async (_name, door) => {
    const { answer, text } = await door.ask({ query: '{ segments { nodes { id } } }' });
    expectNothingLeaked(text);
    const { code, id } = answer!.errors![0]!.extensions;
    expect(code).toBe('INTERNAL_SERVER_ERROR');
    const line = logged.find((candidate) => candidate.includes(id!));
    expect(line).toContain('segment');
    expect(text).not.toMatch(/select|segment"|42P01/);
  });
});
