import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createKeyPair } from '../../src/credentials.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import { insertMeter, insertTask } from '../support/rows.js';

const REJECTED_AT = '2026-01-31T08:09:10.120Z';
const brokers = testBrokers('memory:');
let api: TestApi;
let pool: pg.Pool;
beforeAll(async () => {
  api = await createTestApi(await brokers.open(), createKeyPair().publicKey);
  ({ pool } = api.database);
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});

const reject = (meter: string) =>
  pool.query('update meter_device set credentials_rejected_at = $2 where id = $1', [meter, REJECTED_AT]);
async function insertRejected(name: string): Promise<string> {
  return insertMeter(pool, name, { credentials_rejected_at: REJECTED_AT });
}

interface MeterPayload {
  meterDevice: { credentialsRejectedAt: string | null; hasCredentials: boolean; version: number };
}
const UPDATE = `mutation ($input: UpdateMeterDeviceInput!) { updateMeterDevice(input: $input) {
  meterDevice { credentialsRejectedAt hasCredentials version } } }`;
const CLEAR = `mutation ($id: ID!) { clearCredentialsRejection(input: {id: $id}) {
  meterDevice { credentialsRejectedAt hasCredentials version } } }`;
const INVOKE = `mutation ($input: InvokeTaskInput!) { invokeTask(input: $input) { taskRun { id state } } }`;
const CALL = {
  meterExecutionType: 'generic_lis200',
  taskCall: 'read_single_value',
  taskKwargs: { address: '2:300.0' },
};

const update = async (input: object) =>
  (await api.run<{ updateMeterDevice: MeterPayload }>(UPDATE, { input })).updateMeterDevice.meterDevice;
const clear = async (id: string) =>
  (await api.run<{ clearCredentialsRejection: MeterPayload }>(CLEAR, { id })).clearCredentialsRejection.meterDevice;

it('is told with its time, and found by the filter', async () => {
  const rejected = await insertRejected('told');
  const sound = await insertMeter(pool, 'told, sound');
  const listed = async (credentialsRejected?: boolean | null) => {
    const { meterDevices } = await api.run<{
      meterDevices: { nodes: { id: string; credentialsRejectedAt: string }[] };
    }>('query ($filter: MeterDeviceFilter) { meterDevices(filter: $filter) { nodes { id credentialsRejectedAt } } }', {
      filter: { ids: [rejected, sound], credentialsRejected },
    });
    return meterDevices.nodes;
  };
  const [there, none] = [
    { id: rejected, credentialsRejectedAt: REJECTED_AT },
    { id: sound, credentialsRejectedAt: null },
  ];
  expect(await listed(true)).toEqual([there]);
  expect(await listed(false)).toEqual([none]);
  expect(await listed()).toEqual([there, none]);
  expect(await listed(null)).toEqual([there, none]);
});

it('ends with new credentials, or with their removal, and with no other change', async () => {
  const meter = await insertRejected('renewed');
  expect(await update({ id: meter, model: 'EK280' })).toMatchObject({ credentialsRejectedAt: REJECTED_AT });
  expect(await update({ id: meter, credentials: { password: '12345678' } })).toMatchObject({
    credentialsRejectedAt: null,
    hasCredentials: true,
  });
  await reject(meter);
  expect(await update({ id: meter, credentials: null })).toMatchObject({
    credentialsRejectedAt: null,
    hasCredentials: false,
  });
});

it('stays when an update with new credentials is refused', async () => {
  const meter = await insertRejected('not renewed');
  const failure = await api.failure(UPDATE, { input: { id: meter, credentials: {}, name: 'renewed after all' } });
  expect(failure).toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.credentials' });
  const { rows } = await pool.query('select from meter_device where id = $1 and credentials_rejected_at = $2', [
    meter,
    REJECTED_AT,
  ]);
  expect(rows).toHaveLength(1);
});

it('is cleared by the operator, who keeps the credentials, once', async () => {
  const meter = await insertMeter(pool, 'cleared');
  await update({ id: meter, credentials: { password: '12345678' } });
  await reject(meter);
  const cleared = await clear(meter);
  expect(cleared).toMatchObject({ credentialsRejectedAt: null, hasCredentials: true });
  expect(await clear(meter)).toEqual(cleared);

  const failure = (id: string) => api.failure(CLEAR, { id });
  const unknown = '01a20000-0000-7000-8000-000000000000';
  expect(await failure(unknown)).toMatchObject({ code: 'NOT_FOUND', field: 'input.id' });
  expect(await failure('EK280')).toMatchObject({ code: 'NOT_FOUND', field: 'input.id' });
});

it('refuses calls on the meter with the time and both cures, until it ends', async () => {
  const meter = await insertRejected('invoked');
  const task = await insertTask(pool, 'invoked');
  const invokeAmrTask = `mutation { invokeAmrTask(input: {amrTask: "${task}", meterDevice: "${meter}"}) { taskRun { id } } }`;
  const input = { meterDevice: meter, ...CALL };
  for (const failure of [await api.failure(INVOKE, { input }), await api.failure(invokeAmrTask)]) {
    expect(failure).toMatchObject({ code: 'CONFLICT', field: 'input.meterDevice' });
    expect(failure.message).toContain(`"invoked" refused its credentials at ${REJECTED_AT}`);
    expect(failure.message).toMatch(/updateMeterDevice.*clearCredentialsRejection/);
  }
  await clear(meter);
  await api.run(INVOKE, { input });
  await api.run(invokeAmrTask);
});

it('does not hide the run of a repeated call, which may have been what the meter refused', async () => {
  const meter = await insertMeter(pool, 'repeated');
  const variables = { input: { meterDevice: meter, ...CALL, idempotencyKey: 'repeated' } };
  const first = await api.run(INVOKE, variables);
  await reject(meter);
  expect(await api.run(INVOKE, variables)).toEqual(first);
});
