import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkArguments } from '../../src/graphql/argument-check.js';
import { parseAddress } from '../../src/protocols/lis200/address.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import { insertMeter } from '../support/rows.js';

const brokers = testBrokers('memory:');
let api: TestApi;
let meter: string;

beforeAll(async () => {
  api = await createTestApi(await brokers.open());
  meter = await insertMeter(api.database.pool, 'read');
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});

/** `levels` objects in each other. */
const nested = (levels: number): object => {
  let value: object = {};
  for (let level = 1; level < levels; level++) value = { a: value };
  return value;
};

describe('the host of an interface', () => {
  const CREATE = `mutation ($host: String!) { createNetworkInterface(input: {name: "line", kind: TCP, host: $host, port: 1}) {
    networkInterface { id } } }`;

  // The pattern could cut a name into labels in 2^n ways: the second one stood the whole process still.
  it.each([
    'meter-gateway-01.long-customer-name.example.com/',
    `${'a'.repeat(249)}/`,
    `${'a.'.repeat(125)}/`,
    `${'a-'.repeat(125)}`,
    `${'1:'.repeat(125)}`,
    `${'.'.repeat(250)}`,
    '...',
    ':::::',
    '999.999.999.999',
    '12345',
    'a..b',
    'a.-b',
    'tcp://meter',
    'meter:4001',
    '',
  ])('is refused at once: %s', async (host) => {
    const before = performance.now();
    const failure = await api.failure(CREATE, { host });
    expect(failure).toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.host' });
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  it.each([
    'meter_7',
    'a',
    'gateway-01.example.com.',
    '10.0.0.7',
    '::1',
    'fe80::1:2',
    `${'a'.repeat(63)}.b`,
    '4g.example',
  ])('may be %s', async (host) => {
    const { createNetworkInterface } = await api.run<{ createNetworkInterface: { networkInterface: { id: string } } }>(
      CREATE,
      { host },
    );
    await api.run(
      `mutation { deleteNetworkInterface(input: {id: "${createNetworkInterface.networkInterface.id}"}) { id } }`,
    );
  });
});

it('takes no time to refuse an address of 16,000 zeros', () => {
  const before = performance.now();
  for (const text of ['0'.repeat(16_000), `1:${'0'.repeat(16_000)}!`]) expect(parseAddress(text)).toBeUndefined();
  expect(performance.now() - before).toBeLessThan(10_000);
});

describe.each([
  ['NUL', 'a\0b'],
  ['half of a surrogate pair', 'a\ud83db'],
])('%s', (_what, text) => {
  // Each went to PostgreSQL and came back as an internal error.
  it.each([
    ['query ($t: String) { amrTasks(filter: {name: $t}) { totalCount } }', 'filter.name'],
    ['query ($t: String) { amrTasks(filter: {nameContains: $t}) { totalCount } }', 'filter.nameContains'],
    ['query ($t: String) { amrTasks(filter: {meterExecutionType: $t}) { totalCount } }', 'filter.meterExecutionType'],
    ['query ($t: String) { meterDevices(filter: {serialNumber: $t}) { totalCount } }', 'filter.serialNumber'],
    ['query ($t: String) { meterDevices(filter: {externalReference: $t}) { totalCount } }', 'filter.externalReference'],
    ['query ($t: String!) { latestReadings(filter: {series: ["x", $t]}) { value } }', 'filter.series.1'],
    [
      'query ($t: String!) { readings(meterDevice: "x", series: [$t], from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z") { next } }',
      'series.0',
    ],
    ['mutation ($t: String!) { createAmrTaskGroup(input: {name: $t}) { amrTaskGroup { id } } }', 'input.name'],
    [
      'mutation ($t: String!) { createAmrTaskGroup(input: {name: "g", description: $t}) { amrTaskGroup { id } } }',
      'input.description',
    ],
    [
      'mutation ($t: String!) { createMeterDevice(input: {name: "m", credentials: {password: $t}}) { meterDevice { id } } }',
      'input.credentials.password',
    ],
  ])('is refused in %s', async (document, field) => {
    expect(await api.failure(document, { t: text })).toMatchObject({ code: 'BAD_USER_INPUT', field });
  });

  it('is refused in the names of a JSON object', () => {
    expect(() => checkArguments({ input: { taskKwargs: { [text]: 1 } } })).toThrow(/input\.taskKwargs/);
  });
});

it('a backslash before u0000 is text as any other', () => {
  expect(() => checkArguments({ input: { taskKwargs: { a: String.raw`\u0000 \ud800`, b: '😀' } } })).not.toThrow();
});

describe('a JSON object nested deep', () => {
  const CREATE = `mutation ($kwargs: JSONObject!) { createAmrTask(input: {name: "deep", schedule: DAILY,
    meterExecutionType: "generic_lis200", taskCall: "set_time", taskKwargs: $kwargs}) { amrTask { id } } }`;
  const refusal = {
    code: 'BAD_USER_INPUT',
    field: 'input.taskKwargs',
    message: expect.stringContaining('32') as string,
  };

  it.each([100, 20_000])('is refused with %i levels in a variable', async (levels) => {
    expect(await api.failure(CREATE, { kwargs: nested(levels) })).toMatchObject(refusal);
  });

  it('is refused in a literal', async () => {
    const literal = `${'{a: '.repeat(1000)}1${'}'.repeat(1000)}`;
    const document = CREATE.replace('($kwargs: JSONObject!)', '').replace('$kwargs', literal);
    expect(await api.failure(document)).toMatchObject(refusal);
  });

  it('passes on to the rules of the call with a few levels', async () => {
    expect(await api.failure(CREATE, { kwargs: nested(20) })).toMatchObject({
      message: expect.stringContaining('set_time') as string,
    });
  });
});

describe('the cursor of readings', () => {
  // PostgreSQL knows no year 0 and understands other offsets: what it did not write is not a cursor.
  it.each([
    '1 0000-11-01T00:00:00Z',
    '1 0000-11-01T00:00:00.000000Z',
    '1 2026-11-01T00:00:00+23:59',
    '1 2026-11-01T00:00:00.000Z',
    '1 2026-11-31T00:00:00.000000Z',
    '0 2026-11-01T00:00:00.000000Z',
    '9999999999 2026-11-01T00:00:00.000000Z',
    '1 2026-11-01T00:00:00.000000Z ',
    '1',
    '',
  ])('is refused when it stands for "%s"', async (position) => {
    const after = Buffer.from(position).toString('base64url');
    const document = `query ($after: String) { readings(meterDevice: "${meter}", after: $after,
      from: "2026-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z") { next } }`;
    expect(await api.failure(document, { after })).toMatchObject({ code: 'BAD_USER_INPUT', field: 'after' });
  });
});
