import { afterAll, beforeAll, expect, it } from 'vitest';
import { createKeyPair } from '../../src/credentials.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';

const brokers = testBrokers('memory:');
let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(await brokers.open(), createKeyPair().publicKey);
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});

const CREATE = `mutation ($input: CreateMeterDeviceInput!) { createMeterDevice(input: $input) {
  meterDevice { id currentTransformerRatio voltageTransformerRatio timeZone hasCredentials } } }`;

// The first answer had the input's own spelling, the next one the database's.
it('a mutation answers decimals and time zones as a later query does', async () => {
  const input = {
    name: 'spelled',
    currentTransformerRatio: '+5.',
    voltageTransformerRatio: '0110.50',
    timeZone: 'europe/vienna',
  };
  const { createMeterDevice } = await api.run<{ createMeterDevice: { meterDevice: { id: string } } }>(CREATE, {
    input,
  });
  const stored = {
    currentTransformerRatio: '5',
    voltageTransformerRatio: '110.5',
    timeZone: 'Europe/Vienna',
    hasCredentials: false,
  };
  expect(createMeterDevice.meterDevice).toMatchObject(stored);
  const { id } = createMeterDevice.meterDevice;
  expect(
    await api.run(
      `{ meterDevice(id: "${id}") { currentTransformerRatio voltageTransformerRatio timeZone hasCredentials } }`,
    ),
  ).toEqual({ meterDevice: stored });
  const { rows } = await api.database.pool.query('select time_zone from meter_device where id = $1', [id]);
  expect(rows).toEqual([{ time_zone: 'Europe/Vienna' }]);
  expect(
    await api.run('mutation { upsertSeries(input: {name: "s", multiplier: "+00.50"}) { series { multiplier } } }'),
  ).toEqual({ upsertSeries: { series: { multiplier: '0.5' } } });
});

it('empty credentials are refused, with the way to remove them', async () => {
  expect(await api.failure(CREATE, { input: { name: 'open', credentials: {} } })).toMatchObject({
    code: 'BAD_USER_INPUT',
    field: 'input.credentials',
    message: expect.stringMatching(/1 to 20 texts.*null removes them/) as string,
  });
});

it('a name that is taken is told in plain words', async () => {
  const tasks = 'name: "taken", schedule: DAILY, meterExecutionType: "generic_lis200", taskCall: "set_time"';
  const task = `mutation { createAmrTask(input: {${tasks}}) { amrTask { id } } }`;
  const segment = 'mutation { createSegment(input: {name: "taken"}) { segment { id } } }';
  for (const document of [task, segment]) await api.run(document);
  expect((await api.failure(task)).message).toBe('There is already an AmrTask named "taken". Choose another name.');
  expect((await api.failure(segment)).message).toBe('There is already a Segment named "taken". Choose another name.');
});
