import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { decode, RunsChangedMessage } from '../../src/messaging/contracts.js';
import type { Broker } from '../../src/messaging/broker.js';
import { TaskRunService } from '../../src/services/task-runs.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import { insertGroup, insertMeter, insertTask } from '../support/rows.js';

const brokers = testBrokers('memory:');
let broker: Broker;
let api: TestApi;
let pool: pg.Pool;
beforeAll(async () => {
  broker = await brokers.open();
  api = await createTestApi(broker);
  ({ pool } = api.database);
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});

interface Run {
  id: string;
  state: string;
  meterDevice: { id: string };
  amrTask: { id: string };
  scheduledFor: string;
  notBefore: string;
  deadline: string;
  errorCode: string | null;
  errorMessage: string | null;
}
interface Invoked {
  count: number;
  scheduledFor: string;
  taskRuns: { totalCount: number; nodes: Run[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } };
}

const INVOKE = `mutation ($input: InvokeAmrTaskGroupInput!, $first: Int) { invokeAmrTaskGroup(input: $input) {
  count scheduledFor taskRuns(first: $first) { totalCount pageInfo { hasNextPage endCursor } nodes {
    id origin state meterDevice { id } amrTask { id } scheduledFor notBefore deadline errorCode errorMessage } } } }`;
const invoke = async (
  amrTaskGroup: string,
  more: { meterDevices?: string[]; first?: number; idempotencyKey?: string } = {},
) => {
  const { first, ...input } = more;
  const data = await api.run<{ invokeAmrTaskGroup: Invoked }>(INVOKE, { input: { amrTaskGroup, ...input }, first });
  return data.invokeAmrTaskGroup;
};
const refusal = (amrTaskGroup: string, meterDevices?: string[]) =>
  api.failure(INVOKE, { input: { amrTaskGroup, meterDevices } });
const pairs = (runs: readonly Run[]) => runs.map((run) => `${run.amrTask.id} ${run.meterDevice.id}`).sort();
const seconds = (from: string, to: string) => (Date.parse(to) - Date.parse(from)) / 1000;
const runCount = async () => (await pool.query<{ n: number }>('select count(*)::int as n from task_run')).rows[0]!.n;

async function insertMeters(prefix: string, count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => insertMeter(pool, `${prefix} ${index}`)));
}

/** Meters without an interface, in the group. */
async function insertMembers(group: string, count: number): Promise<void> {
  await pool.query(
    `with made as (
       insert into meter_device (id, organization_id, name)
       select uuid_v7_at(now()), $1, $2 || ' ' || n from generate_series(1, $3) n returning id)
     insert into meter_device_task_groups (meter_device_id, amr_task_group_id) select id, $2::uuid from made`,
    [DEFAULT_ORGANIZATION_ID, group, count],
  );
}

it('makes one run of each active task on each meter of the group, at one moment between slots', async () => {
  const meters = await insertMeters('each', 3);
  await insertMeter(pool, 'each, in no group');
  const hasty = await insertTask(pool, 'hasty', { deadline_seconds: 45, run_offset_seconds: 600, schedule: 'yearly' });
  const plain = await insertTask(pool, 'plain');
  const inactive = await insertTask(pool, 'inactive', { is_active: false });
  const group = await insertGroup(pool, 'each', [hasty, plain, inactive], meters);

  const { count, scheduledFor, taskRuns } = await invoke(group);
  expect(count).toBe(6);
  expect(taskRuns).toMatchObject({ totalCount: 6, pageInfo: { hasNextPage: false } });
  const expected = [hasty, plain].flatMap((task) => meters.map((meter) => `${task} ${meter}`));
  expect(pairs(taskRuns.nodes)).toEqual(expected.sort());
  expect(Date.parse(scheduledFor) % 1000).not.toBe(0);
  for (const run of taskRuns.nodes) {
    expect(run).toMatchObject({ origin: 'ON_DEMAND', state: 'PENDING', scheduledFor, notBefore: scheduledFor });
    expect(seconds(run.notBefore, run.deadline)).toBe(run.amrTask.id === hasty ? 45 : 600);
  }
});

it('wakes the dispatcher with runs that are due, and tells listeners of them', async () => {
  const group = await insertGroup(pool, 'woken', [await insertTask(pool, 'woken')], await insertMeters('woken', 2));
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

    const { taskRuns } = await invoke(group);
    expect(await woken).toBe('amr_dispatch');
    const due = await pool.query('select from task_run where id = any($1) and not_before <= now()', [
      taskRuns.nodes.map(({ id }) => id),
    ]);
    expect(due.rowCount).toBe(2);
    const message = decode(RunsChangedMessage, await news);
    expect(message.ok && [...message.message.runs].sort()).toEqual(taskRuns.nodes.map(({ id }) => id).sort());
    await listener.drain();
  } finally {
    await dispatcher.end();
  }
});

it('goes behind a single call, for which somebody waits', async () => {
  const task = await insertTask(pool, 'urgent', { priority: 1000 });
  const [meter] = await insertMeters('urgent', 1);
  await invoke(await insertGroup(pool, 'urgent', [task], [meter!]));
  await api.run(`mutation { invokeAmrTask(input: {amrTask: "${task}", meterDevice: "${meter}"}) { taskRun { id } } }`);
  const { rows } = await pool.query<{ priority: number }>(
    'select priority from task_run where amr_task_id = $1 order by priority',
    [task],
  );
  expect(rows).toEqual([{ priority: -1 }, { priority: 0 }]);
});

it('takes the meters given instead, which need not be in the group, each once', async () => {
  const task = await insertTask(pool, 'given');
  const [inGroup, outside] = (await insertMeters('given', 2)) as [string, string];
  const group = await insertGroup(pool, 'given', [task], [inGroup]);
  const { count, taskRuns } = await invoke(group, { meterDevices: [outside, outside.toUpperCase()] });
  expect(count).toBe(1);
  expect(pairs(taskRuns.nodes)).toEqual([`${task} ${outside}`]);
});

it('leaves retired meters out, and fails the runs at once that no session could carry', async () => {
  const task = await insertTask(pool, 'hindered');
  const rejectedAt = '2026-01-31T08:09:10.120Z';
  const retired = await insertMeter(pool, 'hindered, retired', { life_cycle: 'retired' });
  const pushing = await insertMeter(pool, 'hindered, pushing', { network_interface_id: null });
  const rejected = await insertMeter(pool, 'hindered, rejected', { credentials_rejected_at: rejectedAt });
  const sound = await insertMeter(pool, 'hindered, sound');
  const group = await insertGroup(pool, 'hindered', [task], [retired, pushing, rejected, sound]);

  const { count, taskRuns } = await invoke(group);
  expect(count).toBe(3);
  const byMeter = new Map(taskRuns.nodes.map((run) => [run.meterDevice.id, run]));
  expect(byMeter.get(sound)).toMatchObject({ state: 'PENDING', errorCode: null, errorMessage: null });
  expect(byMeter.get(pushing)).toMatchObject({
    state: 'FAILED',
    errorCode: 'NO_INTERFACE',
    errorMessage: expect.stringContaining('give it one') as string,
  });
  const { state, errorCode, errorMessage } = byMeter.get(rejected)!;
  expect([state, errorCode]).toEqual(['FAILED', 'CREDENTIALS_REJECTED']);
  expect(errorMessage).toContain(rejectedAt);
  expect(errorMessage).toMatch(/updateMeterDevice.*clearCredentialsRejection/);
  const finished = await pool.query('select from task_run where id = $1 and finished_at is not null', [
    byMeter.get(rejected)!.id,
  ]);
  expect(finished.rowCount).toBe(1);
});

it('pages through its runs only, also when the same is invoked at the same moment, and taskRuns reads on', async () => {
  const task = await insertTask(pool, 'paged');
  const meters = await insertMeters('paged', 5);
  const group = await insertGroup(pool, 'paged', [task], meters.slice(0, 3));
  const singles = meters.map((meter) =>
    api.run(`mutation { invokeAmrTask(input: {amrTask: "${task}", meterDevice: "${meter}"}) { taskRun { id } } }`),
  );
  const invocations = await Promise.all([
    ...Array.from({ length: 4 }, () => invoke(group, { first: 2 })),
    ...Array.from({ length: 4 }, () => invoke(group, { first: 2, meterDevices: meters.slice(3) })),
  ]);
  await Promise.all(singles);
  expect(new Set(invocations.map(({ scheduledFor }) => scheduledFor)).size).toBe(8);

  for (const { count, scheduledFor, taskRuns } of invocations) {
    const { rows } = await pool.query<{ id: string }>(
      'select id from task_run where scheduled_for = $1 order by id desc',
      [scheduledFor],
    );
    const all = rows.map(({ id }) => id);
    expect(all).toHaveLength(count);
    expect(taskRuns.nodes.map(({ id }) => id)).toEqual(all.slice(0, 2));
    expect(taskRuns.pageInfo.hasNextPage).toBe(count > 2);

    const request = { first: 2, after: taskRuns.pageInfo.endCursor };
    const invoked = { count, scheduledFor: new Date(scheduledFor) };
    const next = await api.services.taskRuns.pageAt(DEFAULT_ORGANIZATION_ID, request, invoked);
    expect(next.nodes.map(({ id }) => id)).toEqual(all.slice(2));
    const filter = { from: scheduledFor, to: new Date(Date.parse(scheduledFor) + 1).toISOString() };
    const { taskRuns: readOn } = await api.run<{ taskRuns: { totalCount: number; nodes: { id: string }[] } }>(
      'query ($filter: TaskRunFilter, $after: String) { taskRuns(filter: $filter, after: $after) { totalCount nodes { id } } }',
      { filter, after: request.after },
    );
    expect(readOn).toEqual({ totalCount: count, nodes: all.slice(2).map((id) => ({ id })) });
  }
});

it('finds a page by the primary key and reads no more runs than it shows', async () => {
  const group = await insertGroup(pool, 'planned', [await insertTask(pool, 'planned')], []);
  await insertMembers(group, 2000);
  const { count, scheduledFor } = await invoke(group, { first: 1 });
  expect(count).toBe(2000);

  const asked: [string, unknown[]][] = [];
  const watched = { query: (...statement: [string, unknown[]]) => (asked.push(statement), pool.query(...statement)) };
  const taskRuns = new TaskRunService({ ...api.database, pool: watched as unknown as pg.Pool });
  const invoked = { count, scheduledFor: new Date(scheduledFor) };
  expect((await taskRuns.pageAt(DEFAULT_ORGANIZATION_ID, { first: 10 }, invoked)).nodes).toHaveLength(10);
  const [sql, values] = asked[0]!;
  const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`explain analyze ${sql}`, values);
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toMatch(/Index Scan Backward using task_run_\d{4}_\d\d_pkey .*rows=11(\.00)? loops=1/);
});

it('sees nothing of another organization', async () => {
  const group = await insertGroup(pool, 'ours', [await insertTask(pool, 'ours')], await insertMeters('ours', 1));
  const theirs = uuidAt();
  await pool.query('insert into organization (id, name) values ($1, $2)', [theirs, 'theirs']);
  const input = { amrTaskGroup: group };
  await expect(api.services.groupInvocation.invokeAmrTaskGroup(theirs, input)).rejects.toThrow(/no AmrTaskGroup/);
  const { count, scheduledFor } = await invoke(group);
  const page = await api.services.taskRuns.pageAt(theirs, {}, { count, scheduledFor: new Date(scheduledFor) });
  expect(page.nodes).toEqual([]);

  const meter = await insertMeter(pool, 'theirs', { organization_id: theirs });
  expect(await refusal(group, [meter])).toMatchObject({ code: 'NOT_FOUND', field: 'input.meterDevices.0' });
});

it('refuses what cannot be carried out, with the cure, and makes no run', async () => {
  const task = await insertTask(pool, 'refused');
  const broken = await insertTask(pool, 'of an older version', { task_call: 'read_everything' });
  const [meter] = (await insertMeters('refused', 1)) as [string];
  const retired = await insertMeter(pool, 'refused, retired', { life_cycle: 'retired' });
  const group = await insertGroup(pool, 'refused', [task], []);
  const idle = await insertTask(pool, 'refused, inactive', { is_active: false });
  const before = await runCount();

  const unknown = uuidAt();
  const groupField = 'input.amrTaskGroup';
  const metersField = 'input.meterDevices';
  for (const [tasks, meters, code, field, message] of [
    [[], undefined, 'BAD_USER_INPUT', groupField, /has no tasks.*updateAmrTaskGroup/],
    [[idle], undefined, 'BAD_USER_INPUT', groupField, /inactive tasks only.*isActive/],
    [[task], undefined, 'BAD_USER_INPUT', groupField, /has no meters.*updateMeterDevice/],
    [[task, broken], [meter], 'BAD_USER_INPUT', groupField, /"of an older version".*read_everything.*updateAmrTask/],
    [[task], [retired], 'BAD_USER_INPUT', groupField, /RETIRED/],
    [[task], [], 'BAD_USER_INPUT', metersField, /1 to 10000 ids/],
    [[task], Array<string>(10_001).fill(meter), 'BAD_USER_INPUT', metersField, /1 to 10000 ids/],
    [[task], [meter, unknown, 'EK280'], 'NOT_FOUND', 'input.meterDevices.2', /"EK280"/],
    [[task], [meter, unknown], 'NOT_FOUND', 'input.meterDevices.1', new RegExp(unknown)],
  ] as const) {
    await pool.query('delete from amr_task_group_tasks where amr_task_group_id = $1', [group]);
    for (const id of tasks) await pool.query('insert into amr_task_group_tasks values ($1, $2)', [group, id]);
    const expected = { code, field, message: expect.stringMatching(message) as string };
    expect(await refusal(group, meters && [...meters])).toMatchObject(expected);
  }
  expect(await refusal(unknown)).toMatchObject({ code: 'NOT_FOUND', field: groupField });
  expect(await refusal('gas meters')).toMatchObject({ code: 'NOT_FOUND', field: groupField });
  expect(await runCount()).toBe(before);
});

it('refuses more runs than one invocation may make, and says how many it would be', async () => {
  const tasks = await Promise.all(Array.from({ length: 31 }, (_, index) => insertTask(pool, `many ${index}`)));
  const group = await insertGroup(pool, 'many', tasks, []);
  await insertMembers(group, 10_000);
  expect(await refusal(group)).toMatchObject({
    code: 'LIMIT_EXCEEDED',
    field: 'input.meterDevices',
    message: expect.stringMatching(/31 tasks on 10000 meters are 310000 runs.*300000.*meterDevices/) as string,
  });
});

it('makes the runs of one idempotency key once, however many ask at once and whatever the group is by then', async () => {
  const [one, other] = await insertMeters('keyed', 2);
  const task = await insertTask(pool, 'keyed task');
  const group = await insertGroup(pool, 'keyed group', [task], [one!, other!]);
  const before = await runCount();
  const invoked = await Promise.all(Array.from({ length: 4 }, () => invoke(group, { idempotencyKey: 'once' })));
  expect(new Set(invoked.map(({ scheduledFor }) => scheduledFor)).size).toBe(1);
  expect(invoked.map(({ count }) => count)).toEqual([2, 2, 2, 2]);
  await pool.query('delete from meter_device_task_groups where meter_device_id = $1', [other]);
  const again = await invoke(group, { idempotencyKey: 'once' });
  expect(again).toMatchObject({ count: 2, scheduledFor: invoked[0]!.scheduledFor, taskRuns: { totalCount: 2 } });
  expect(pairs(again.taskRuns.nodes)).toEqual(pairs(invoked[0]!.taskRuns.nodes));
  expect((await runCount()) - before).toBe(2);

  const taken = (input: object) =>
    api.failure(INVOKE, { input: { amrTaskGroup: group, idempotencyKey: 'once', ...input } });
  expect(await taken({ meterDevices: [one] })).toMatchObject({
    ...{ code: 'CONFLICT', field: 'input.idempotencyKey' },
    message: expect.stringMatching(/another invocation of a group/) as string,
  });
  const single = { amrTask: task, meterDevice: one, idempotencyKey: 'once' };
  const INVOKE_TASK = 'mutation ($input: InvokeAmrTaskInput!) { invokeAmrTask(input: $input) { taskRun { id } } }';
  expect(await api.failure(INVOKE_TASK, { input: single })).toMatchObject({ field: 'input.idempotencyKey' });
  const keyed = { ...single, idempotencyKey: 'single' };
  expect(await api.run(INVOKE_TASK, { input: keyed })).toEqual(await api.run(INVOKE_TASK, { input: keyed }));
  expect(await taken({ idempotencyKey: 'single' })).toMatchObject({
    message: expect.stringMatching(/a single call/) as string,
  });
});
