import { afterAll, beforeAll, expect, it } from 'vitest';
import pg from 'pg';
import { decode, RunsChangedMessage } from '../../src/messaging/contracts.js';
import type { Broker } from '../../src/messaging/broker.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import { insertMeter, insertTask } from '../support/rows.js';

const brokers = testBrokers('memory:');
let broker: Broker;
let api: TestApi;
let meter: string;

beforeAll(async () => {
  broker = await brokers.open();
  api = await createTestApi(broker);
  meter = await insertMeter(api.database.pool, 'invoked');
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});

const CALL = {
  meterExecutionType: 'generic_lis200',
  taskCall: 'read_archive_by_offset_seconds',
  taskKwargs: { offset_seconds: 1000, archive_number: 3, control_position: 3 },
};
const INVOKE = `mutation ($input: InvokeTaskInput!) { invokeTask(input: $input) { taskRun {
  id origin state meterDevice { id } amrTask { id } taskCall taskKwargs scheduledFor notBefore deadline attempts } } }`;

interface RunPage {
  taskRuns: { totalCount: number; nodes: { id: string }[]; pageInfo: { hasNextPage: boolean; endCursor: string } };
}
interface Run {
  id: string;
  scheduledFor: string;
  notBefore: string;
  deadline: string;
}
const invoke = async (more: object = {}) =>
  (await api.run<{ invokeTask: { taskRun: Run } }>(INVOKE, { input: { meterDevice: meter, ...CALL, ...more } }))
    .invokeTask.taskRun;
const seconds = (from: string, to: string) => (Date.parse(to) - Date.parse(from)) / 1000;

it('makes a pending run at once, wakes the dispatcher and tells listeners', async () => {
  const dispatcher = new pg.Client(api.url);
  await dispatcher.connect();
  try {
    const woken = new Promise<string>((resolve) =>
      dispatcher.once('notification', (notice: pg.Notification) => resolve(notice.channel)),
    );
    await dispatcher.query('listen amr_dispatch');
    let heard!: (body: Buffer) => void;
    const news = new Promise<Buffer>((resolve) => (heard = resolve));
    const listener = await broker.listen('runs.changed', heard);

    const run = await invoke({ runOffsetSeconds: 30, deadlineSeconds: 90 });
    expect(run).toMatchObject({
      origin: 'ON_DEMAND',
      state: 'PENDING',
      meterDevice: { id: meter },
      amrTask: null,
      attempts: 0,
    });
    expect(run).toMatchObject({ taskCall: CALL.taskCall, taskKwargs: CALL.taskKwargs });
    expect(seconds(run.scheduledFor, run.notBefore)).toBe(30);
    expect(seconds(run.notBefore, run.deadline)).toBe(90);
    expect(await woken).toBe('amr_dispatch');
    expect(decode(RunsChangedMessage, await news)).toMatchObject({ ok: true, message: { runs: [run.id] } });
    await listener.drain();
  } finally {
    await dispatcher.end();
  }
});

it('gives up after ten minutes unless told otherwise', async () => {
  const run = await invoke();
  expect(run.notBefore).toBe(run.scheduledFor);
  expect(seconds(run.notBefore, run.deadline)).toBe(600);
});

it('makes one run for one idempotency key, however many ask at once', async () => {
  const runs = await Promise.all(Array.from({ length: 8 }, () => invoke({ idempotencyKey: 'once' })));
  expect(new Set(runs.map(({ id }) => id)).size).toBe(1);
  expect((await invoke({ idempotencyKey: 'once' })).id).toBe(runs[0]!.id);
  const { rows } = await api.database.pool.query('select 1 from task_run where id = $1', [runs[0]!.id]);
  expect(rows).toHaveLength(1);
  expect((await invoke({ idempotencyKey: 'another' })).id).not.toBe(runs[0]!.id);
});

it('refuses an idempotency key that belongs to another call', async () => {
  const { id } = await invoke({ idempotencyKey: 'taken' });
  const refused = (more: object) =>
    api.failure(INVOKE, { input: { meterDevice: meter, ...CALL, idempotencyKey: 'taken', ...more } });
  const other = await insertMeter(api.database.pool, 'another');
  for (const more of [
    { meterDevice: other },
    { taskKwargs: { ...CALL.taskKwargs, offset_seconds: 1001 } },
    { taskCall: 'set_time', taskKwargs: {} },
  ]) {
    expect(await refused(more)).toMatchObject({
      code: 'CONFLICT',
      field: 'input.idempotencyKey',
      message: expect.stringContaining(id) as string,
    });
  }
  const reordered = { control_position: 3, archive_number: 3, offset_seconds: 1000 };
  expect((await invoke({ idempotencyKey: 'taken', taskKwargs: reordered, meterDevice: meter.toUpperCase() })).id).toBe(
    id,
  );
});

it('makes a run for each invocation of a saved task, also at one moment', async () => {
  const task = await insertTask(api.database.pool, 'invoked task', { deadline_seconds: 45, run_offset_seconds: 600 });
  const document = `mutation { invokeAmrTask(input: {amrTask: "${task}", meterDevice: "${meter}"}) { taskRun { id scheduledFor notBefore deadline amrTask { id } } } }`;
  const results = await Promise.all(
    Array.from({ length: 8 }, () => api.run<{ invokeAmrTask: { taskRun: Run } }>(document)),
  );
  const runs = results.map(({ invokeAmrTask }) => invokeAmrTask.taskRun);
  expect(new Set(runs.map(({ id }) => id)).size).toBe(8);
  expect(runs[0]).toMatchObject({ amrTask: { id: task }, notBefore: runs[0]!.scheduledFor });
  expect(seconds(runs[0]!.notBefore, runs[0]!.deadline)).toBe(45);
});

it.each([
  ['an unknown call', { taskCall: 'read_all' }, 'BAD_USER_INPUT', 'input.taskCall', /read_single_value/],
  ['a missing kwarg', { taskKwargs: {} }, 'BAD_USER_INPUT', 'input.taskKwargs.offset_seconds', /takes offset_seconds/],
  ['an offset beyond a year', { runOffsetSeconds: 31_536_001 }, 'BAD_USER_INPUT', 'input.runOffsetSeconds', /31536000/],
  ['an empty key', { idempotencyKey: '' }, 'BAD_USER_INPUT', 'input.idempotencyKey', /empty/],
  ['a meter that is no id', { meterDevice: 'EK280' }, 'NOT_FOUND', 'input.meterDevice', /MeterDevice.*"EK280"/],
])('refuses %s', async (_what, wrong, code, field, message) => {
  const failure = await api.failure(INVOKE, { input: { meterDevice: meter, ...CALL, ...wrong } });
  expect(failure).toMatchObject({ code, field, message: expect.stringMatching(message) as string });
});

it('refuses a meter that is retired or cannot be reached', async () => {
  const retired = await insertMeter(api.database.pool, 'old', { life_cycle: 'retired' });
  const pushing = await insertMeter(api.database.pool, 'pushing', { network_interface_id: null });
  const failure = (meterDevice: string) => api.failure(INVOKE, { input: { meterDevice, ...CALL } });
  expect(await failure(retired)).toMatchObject({
    code: 'BAD_USER_INPUT',
    message: expect.stringContaining('RETIRED') as string,
  });
  expect(await failure(pushing)).toMatchObject({
    code: 'BAD_USER_INPUT',
    message: expect.stringContaining('networkInterface') as string,
  });
});

it('lists runs newest first, page by page, by what they match', async () => {
  const lister = await insertMeter(api.database.pool, 'listed');
  const made: string[] = [];
  for (let index = 0; index < 5; index++) made.push((await invoke({ meterDevice: lister })).id);
  await api.database.pool.query(`update task_run set state = 'failed' where id = $1`, [made[1]]);

  const page = `query ($filter: TaskRunFilter, $after: String) { taskRuns(filter: $filter, first: 2, after: $after) {
    totalCount nodes { id } pageInfo { hasNextPage endCursor } } }`;
  const listed: string[] = [];
  for (let after: string | undefined, more = true; more;) {
    const { taskRuns }: RunPage = await api.run<RunPage>(page, { filter: { meterDevice: lister }, after });
    expect(taskRuns.totalCount).toBe(5);
    listed.push(...taskRuns.nodes.map(({ id }) => id));
    ({ hasNextPage: more, endCursor: after } = taskRuns.pageInfo);
  }
  expect([...listed].sort()).toEqual([...made].sort());
  const { rows } = await api.database.pool.query<{ id: string }>(
    'select id from task_run where meter_device_id = $1 order by scheduled_for desc, id desc',
    [lister],
  );
  expect(listed).toEqual(rows.map(({ id }) => id));

  const count = async (filter: object) =>
    (await api.run<{ taskRuns: { totalCount: number } }>(page, { filter: { meterDevice: lister, ...filter } })).taskRuns
      .totalCount;
  expect(await count({ states: ['FAILED', 'EXPIRED'] })).toBe(1);
  expect(await count({ origin: 'SCHEDULED' })).toBe(0);
  expect(await count({ from: '2000-01-01T00:00:00Z', to: '2000-01-02T00:00:00+01:00' })).toBe(0);
  expect(await count({ amrTask: 'no id' })).toBe(0);
});
