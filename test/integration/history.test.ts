import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ensurePartition } from '../../src/db/partitions.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { TaskRunSummaryDocument, type TaskRunSummaryQuery } from '../../src/graphql/generated/graphql.js';
import { dropOldInvocationKeys, dropOldRuns, dropOldSessions, dropOldSlots } from '../../src/services/retention.js';
import { SlotSettlement } from '../../src/services/settlement.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import { insertDueRun, insertGroup, insertMeter, insertTask } from '../support/rows.js';

const log = pino({ level: 'silent' });
const brokers = testBrokers('memory:');
const { signal } = new AbortController();
let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(await brokers.open());
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});
beforeEach(() =>
  query(
    'truncate invocation_key, task_run, task_slot, task_slot_group, poll_session, amr_task, amr_task_group, meter_device, network_interface cascade',
  ),
);

const query = async (sql: string, parameters: unknown[] = []) =>
  (await api.database.pool.query(sql, parameters)).rows as Record<string, unknown>[];

async function makePartition(at: string): Promise<void> {
  const client = await api.database.pool.connect();
  await ensurePartition(client, 'task_run', new Date(at)).finally(() => client.release());
}

/** A run of the task's slot; without task a direct invocation. */
async function insertRun(
  task: string | null,
  meter: string,
  at: Date,
  state: string,
  columns: { code?: string; organization?: string } = {},
): Promise<void> {
  await query(
    `insert into task_run (id, scheduled_for, organization_id, origin, state, meter_device_id, amr_task_id,
       meter_execution_type, task_call, task_kwargs, not_before, deadline, error_code)
     values ($1, $2, $3, case when $4::uuid is null then 'on_demand' else 'scheduled' end, $5, $6, $4,
       'generic_lis200', 'set_time', '{}', $2, $2, $7)`,
    [
      uuidAt(at.getTime()),
      at,
      columns.organization ?? DEFAULT_ORGANIZATION_ID,
      task,
      state,
      meter,
      columns.code ?? null,
    ],
  );
}

async function insertSlot(
  task: string,
  at: Date,
  columns: { settled?: boolean; skipped?: boolean } = {},
): Promise<void> {
  await query(
    `insert into task_slot (amr_task_id, scheduled_for, run_count, skipped, settled_at)
     values ($1, $2, 0, $3, case when $4 then now() end)`,
    [task, at, columns.skipped ?? false, columns.settled ?? false],
  );
}

describe('retention', () => {
  const partitions = async () =>
    (
      await query(
        `select c.relname as name from pg_inherits join pg_class c on c.oid = inhrelid
         where inhparent = 'task_run'::regclass and c.relname < 'task_run_2025' order by 1`,
      )
    ).map(({ name }) => name);

  it('drops the months of runs that are too old, but none with a run that has not ended', async () => {
    const meter = await insertMeter(api.database.pool, 'm');
    for (const month of ['2020-01-01', '2020-02-01', '2020-03-01']) await makePartition(month);
    await insertRun(null, meter, new Date('2020-01-05'), 'succeeded');
    await insertRun(null, meter, new Date('2020-02-05'), 'running');
    await dropOldRuns(api.database.pool, 400, log);
    expect(await partitions()).toEqual(['task_run_2020_02']);
    await query(`update task_run set state = 'pending'`);
    await dropOldRuns(api.database.pool, 400, log);
    expect(await partitions()).toEqual(['task_run_2020_02']);
    await query(`update task_run set state = 'failed'`);
    await dropOldRuns(api.database.pool, 400, log);
    expect(await partitions()).toEqual([]);
    expect(await query('select from task_run')).toEqual([]);
  });

  it('keeps the month that holds the limit, and what may be read again when its month is needed', async () => {
    const [month] = await query(`select date_trunc('month', now() - interval '40 days') as at`);
    const at = month!['at'] as Date;
    const meter = await insertMeter(api.database.pool, 'm');
    await makePartition(at.toISOString());
    await insertRun(null, meter, at, 'succeeded');
    await dropOldRuns(api.database.pool, 40, log);
    expect(await query('select from task_run')).toHaveLength(1);
    await makePartition('2020-01-01');
    await dropOldRuns(api.database.pool, 40, log);
    await makePartition('2020-01-01');
    await insertRun(null, meter, new Date('2020-01-05'), 'succeeded');
    expect(await query('select from task_run')).toHaveLength(2);
  });

  it('gives way to a statement that reads runs, and holds up no reader for long', async () => {
    await makePartition('2020-01-01');
    const reader = await api.database.pool.connect();
    try {
      await reader.query('begin');
      await reader.query('select from task_run limit 1');
      await expect(dropOldRuns(api.database.pool, 400, log)).rejects.toMatchObject({ code: '55P03' });
    } finally {
      await reader.query('rollback');
      reader.release();
    }
    expect(await partitions()).toEqual(['task_run_2020_01']);
    await dropOldRuns(api.database.pool, 400, log);
    expect(await partitions()).toEqual([]);
  });

  it('deletes settled slots and group counts of those months, but the newest slot of a task never', async () => {
    const { pool } = api.database;
    const [busy, idle] = [await insertTask(pool, 'busy'), await insertTask(pool, 'idle')];
    const group = await insertGroup(pool, 'g', [busy], []);
    for (const day of ['01', '02', '03']) {
      await insertSlot(busy, new Date(`2020-01-${day}`), { settled: day !== '02' });
      await insertSlot(idle, new Date(`2020-01-${day}`), { settled: true });
    }
    await insertSlot(busy, new Date(), { settled: true });
    for (const at of [new Date('2020-01-01'), new Date()])
      await query('insert into task_slot_group values ($1, $2, $3, 0, 0, 0, 0, 0)', [busy, at, group]);
    await dropOldSlots(pool, 400, signal);
    const left = await query(
      `select t.name, to_char(s.scheduled_for, 'YYYY-MM-DD') as day from task_slot s join amr_task t on t.id = s.amr_task_id
       where s.scheduled_for < '2021-01-01' order by 1, 2`,
    );
    expect(left).toEqual([
      { name: 'busy', day: '2020-01-02' },
      { name: 'idle', day: '2020-01-03' },
    ]);
    expect(await query('select from task_slot where scheduled_for > $1', ['2021-01-01'])).toHaveLength(1);
    expect(await query('select from task_slot_group')).toHaveLength(1);
  });

  it('keeps a settled slot whose runs are kept, as when an open run keeps their month', async () => {
    const { pool } = api.database;
    const task = await insertTask(pool, 'busy');
    const slot = new Date('2020-01-01');
    await insertSlot(task, slot, { settled: true });
    await insertSlot(task, new Date(), { settled: true });
    const client = await pool.connect();
    await ensurePartition(client, 'task_run', slot).finally(() => client.release());
    await insertDueRun(pool, await insertMeter(pool, 'm'), {
      ...{ id: uuidAt(slot.getTime()), scheduled_for: slot, amr_task_id: task, state: 'succeeded' },
    });
    await dropOldSlots(pool, 400, signal);
    expect(await query('select from task_slot where scheduled_for = $1', [slot])).toHaveLength(1);
    await query('delete from task_run');
    await dropOldSlots(pool, 400, signal);
    expect(await query('select from task_slot where scheduled_for = $1', [slot])).toHaveLength(0);
  });

  it('deletes sessions and idempotency keys in batches until the old ones are gone', async () => {
    const { pool } = api.database;
    const meter = await insertMeter(pool, 'm');
    await query(
      `insert into poll_session (id, organization_id, network_interface_id, meter_device_id, queue, attempt, state, lease_until, closed_at)
       select gen_random_uuid(), organization_id, network_interface_id, id, 'amr.scheduled', 1, 'closed', now(),
         case when n = 6001 then now() - interval '13 days' when n < 6001 then now() - interval '15 days' end
       from meter_device cross join generate_series(1, 6002) n where id = $1`,
      [meter],
    );
    await query(
      `insert into invocation_key (organization_id, key, task_run_id, created_at)
       select $1, 'k' || n, gen_random_uuid(), case when n = 5001 then now() else '2020-01-01' end from generate_series(1, 5001) n`,
      [DEFAULT_ORGANIZATION_ID],
    );
    await dropOldSessions(pool, 14, signal);
    await dropOldInvocationKeys(pool, 400, signal);
    expect(await query('select from poll_session')).toHaveLength(2);
    expect(await query('select key from invocation_key')).toEqual([{ key: 'k5001' }]);
  });
});

describe('settling', () => {
  const slot = new Date(Math.floor(Date.now() / 900_000) * 900_000);
  const slots = () =>
    query(
      `select t.name, s.settled_at is not null as settled, succeeded_count as ok, failed_count as failed, expired_count as expired,
         cancelled_count as cancelled from task_slot s join amr_task t on t.id = s.amr_task_id order by 1, scheduled_for`,
    );

  it('counts how the runs of a slot ended, for the slot and for each group that holds task and meter', async () => {
    const { pool } = api.database;
    const [one, two] = [await insertTask(pool, 'one'), await insertTask(pool, 'two')];
    const meters = await Promise.all(['a', 'b', 'c', 'd'].map((name) => insertMeter(pool, name)));
    await insertGroup(pool, 'both', [one, two], meters.slice(0, 3));
    await insertGroup(pool, 'some', [one], meters.slice(2, 3));
    await insertGroup(pool, 'without the task', [two], meters);
    await insertSlot(one, slot);
    for (const [index, state] of ['succeeded', 'failed', 'expired', 'cancelled'].entries())
      await insertRun(one, meters[index]!, slot, state);
    await new SlotSettlement(pool).settle(signal);
    expect(await slots()).toEqual([{ name: 'one', settled: true, ok: 1, failed: 1, expired: 1, cancelled: 1 }]);
    expect(
      await query(
        `select g.name, run_count as runs, succeeded_count as ok, failed_count as failed, expired_count as expired, cancelled_count as cancelled
         from task_slot_group s join amr_task_group g on g.id = s.amr_task_group_id order by 1`,
      ),
    ).toEqual([
      { name: 'both', runs: 3, ok: 1, failed: 1, expired: 1, cancelled: 0 },
      { name: 'some', runs: 1, ok: 0, failed: 0, expired: 1, cancelled: 0 },
    ]);
  });

  it('waits for the last run, and does not look again at runs that were seen to have ended', async () => {
    const { pool } = api.database;
    const task = await insertTask(pool, 'task');
    const meters = (await Promise.all(Array.from({ length: 5 }, (_, n) => insertMeter(pool, `m${n}`)))).sort();
    await insertSlot(task, slot);
    for (const [index, meter] of meters.entries())
      await insertRun(task, meter, slot, index < 3 ? 'succeeded' : 'pending');
    const settlement = new SlotSettlement(pool);
    await settlement.settle(signal);
    expect(await slots()).toMatchObject([{ settled: false }]);

    await query(`update task_run set state = 'succeeded' where meter_device_id = $1`, [meters[3]]);
    const statements = vi.spyOn(pool, 'query');
    await settlement.settle(signal);
    const look = statements.mock.calls.find(([sql]) => String(sql).includes('with ordinality'));
    statements.mockRestore();
    expect((look as unknown as [string, unknown[][]])[1][2]).toEqual([meters[3]]);
    expect(await slots()).toMatchObject([{ settled: false }]);

    await query(`update task_run set state = 'running' where meter_device_id = $1`, [meters[4]]);
    await settlement.settle(signal);
    expect(await slots()).toMatchObject([{ settled: false }]);
    await query(`update task_run set state = 'expired' where meter_device_id = $1`, [meters[4]]);
    await settlement.settle(signal);
    expect(await slots()).toMatchObject([{ settled: true, ok: 4, expired: 1 }]);
  });

  it('settles slots without runs at once, and newer ones beside an old one that is open', async () => {
    const { pool } = api.database;
    const meter = await insertMeter(pool, 'm');
    const [open, skipped, done] = [
      await insertTask(pool, '1 open'),
      await insertTask(pool, '2 skipped'),
      await insertTask(pool, '3 done'),
    ];
    await insertSlot(open, slot);
    await insertRun(open, meter, slot, 'dispatched');
    await insertSlot(skipped, new Date(slot.getTime() + 1_000), { skipped: true });
    await insertSlot(done, new Date(slot.getTime() + 2_000));
    await insertRun(done, meter, new Date(slot.getTime() + 2_000), 'succeeded');
    await new SlotSettlement(pool).settle(signal);
    expect(await slots()).toMatchObject([
      { name: '1 open', settled: false },
      { name: '2 skipped', settled: true, ok: 0 },
      { name: '3 done', settled: true, ok: 1 },
    ]);
  });

  it('goes on behind the first batch, and settles each slot once, whoever tries', async () => {
    const { pool } = api.database;
    const task = await insertTask(pool, 'task');
    const meter = await insertMeter(pool, 'm');
    await insertGroup(pool, 'g', [task], [meter]);
    await query(
      `insert into task_slot (amr_task_id, scheduled_for, run_count) select $1, $2::timestamptz + n * interval '1 second', 0 from generate_series(0, 1100) n`,
      [task, slot],
    );
    await insertRun(task, meter, slot, 'pending');
    await insertRun(task, meter, new Date(slot.getTime() + 1_100_000), 'succeeded');
    await Promise.all([new SlotSettlement(pool).settle(signal), new SlotSettlement(pool).settle(signal)]);
    expect(await query('select from task_slot where settled_at is null')).toHaveLength(1);
    expect(await query('select succeeded_count from task_slot_group')).toEqual([{ succeeded_count: 1 }]);
  });
});

describe('summaries', () => {
  const from = new Date(Math.floor(Date.now() / 900_000) * 900_000);
  const at = (n: number) => new Date(from.getTime() + n * 1_000);
  const period = { from: from.toISOString(), to: at(100).toISOString() };
  const summary = async (filter: Record<string, string>, organization?: string) =>
    (await api.run<TaskRunSummaryQuery>(String(TaskRunSummaryDocument), { filter }, organization)).taskRunSummary;

  /** Two tasks on meters a, b, c; slot 0 settled, slot 1 with open runs; a group of task one with a and b. */
  async function populate() {
    const { pool } = api.database;
    const [one, two] = [await insertTask(pool, 'one'), await insertTask(pool, 'two')];
    const [a, b, c] = (await Promise.all(['a', 'b', 'c'].map((name) => insertMeter(pool, name)))) as [
      string,
      string,
      string,
    ];
    const group = await insertGroup(pool, 'group', [one], [a, b]);
    for (const task of [one, two]) for (const n of [0, 1]) await insertSlot(task, at(n));
    const states = { a: ['succeeded', 'pending'], b: ['failed', 'running'], c: ['cancelled', 'succeeded'] };
    for (const task of [one, two]) {
      for (const [meter, [settled, live]] of [
        [a, states.a],
        [b, states.b],
        [c, states.c],
      ] as [string, string[]][]) {
        await insertRun(task, meter, at(0), settled!, { code: settled === 'failed' ? 'TIMEOUT' : undefined });
        await insertRun(task, meter, at(1), live!);
      }
    }
    // Neither of them is a scheduled run of a slot.
    await insertRun(null, a, new Date(from.getTime() + 1), 'failed', { code: 'BUSY' });
    await new SlotSettlement(pool).settle(signal);
    expect(await query('select from task_slot where settled_at is not null')).toHaveLength(2);
    return { one, two, group, a, b, c };
  }

  it('add settled slots and those under way', async () => {
    const { one, two, group } = await populate();
    const all = { runs: 12, pending: 2, dispatched: 0, running: 2, succeeded: 4, failed: 2, expired: 0, cancelled: 2 };
    const half = Object.fromEntries(Object.entries(all).map(([state, count]) => [state, count / 2]));
    const grouped = { runs: 4, pending: 1, running: 1, succeeded: 1, failed: 1, cancelled: 0, successRate: 1 / 2 };
    const errors = [{ code: 'TIMEOUT', count: 1 }];
    expect(await summary(period)).toEqual({ ...all, successRate: 2 / 3, errors: [{ code: 'TIMEOUT', count: 2 }] });
    expect(await summary({ ...period, amrTask: one })).toEqual({ ...half, successRate: 2 / 3, errors });
    expect(await summary({ ...period, amrTaskGroup: group })).toMatchObject({ ...grouped, errors });
    expect(await summary({ ...period, amrTaskGroup: group, amrTask: one })).toMatchObject({ ...grouped, errors });
    expect(await summary({ ...period, amrTaskGroup: group, amrTask: two })).toMatchObject({ runs: 0, errors: [] });
    expect(await summary({ from: at(1).toISOString(), to: at(2).toISOString() })).toMatchObject({
      runs: 6,
      succeeded: 2,
      successRate: 1,
      errors: [],
    });
    expect(await summary({ from: at(50).toISOString(), to: period.to })).toMatchObject({
      runs: 0,
      successRate: null,
      errors: [],
    });
  });

  it('are fields of tasks and groups, with as many statements for many as for one', async () => {
    await populate();
    const fields = 'runSummary(from: $from, to: $to) { runs successRate errors { code count } }';
    const source = `query ($from: DateTime!, $to: DateTime!) { amrTasks { nodes { name ${fields} } } amrTaskGroups { nodes { name ${fields} } } }`;
    const statements = vi.spyOn(api.database.pool, 'query');
    const found = await api.run(source, period);
    expect(statements).toHaveBeenCalledTimes(6);
    statements.mockRestore();
    const one = { runs: 6, successRate: 2 / 3, errors: [{ code: 'TIMEOUT', count: 1 }] };
    expect(found).toEqual({
      amrTasks: {
        nodes: [
          { name: 'one', runSummary: one },
          { name: 'two', runSummary: one },
        ],
      },
      amrTaskGroups: {
        nodes: [
          { name: 'group', runSummary: { runs: 4, successRate: 1 / 2, errors: [{ code: 'TIMEOUT', count: 1 }] } },
        ],
      },
    });
  });

  it('stay as they were when a meter leaves the group', async () => {
    const { group, b } = await populate();
    await query('delete from meter_device_task_groups where meter_device_id = $1', [b]);
    expect(await summary({ ...period, amrTaskGroup: group })).toMatchObject({
      runs: 3,
      failed: 1,
      running: 0,
      pending: 1,
    });
  });

  it('show nothing of another organization, nor of what does not exist', async () => {
    const { one, group } = await populate();
    const other = '01900000-0000-7000-8000-000000000001';
    await query(`insert into organization (id, name) values ($1, 'other') on conflict do nothing`, [other]);
    for (const filter of [{}, { amrTask: one }, { amrTaskGroup: group }] as Record<string, string>[])
      expect(await summary({ ...period, ...filter }, other)).toMatchObject({ runs: 0, errors: [] });
    for (const filter of [{ amrTask: 'x' }, { amrTask: other }, { amrTaskGroup: other }] as Record<string, string>[])
      expect(await summary({ ...period, ...filter })).toMatchObject({ runs: 0, errors: [] });
  });

  it('refuse a period that is empty or too long', async () => {
    const source = String(TaskRunSummaryDocument);
    expect(await api.failure(source, { filter: { from: period.from, to: period.from } })).toMatchObject({
      code: 'BAD_USER_INPUT',
      field: 'filter.to',
      message: 'filter.to must be after filter.from.',
    });
    expect(
      await api.failure(source, { filter: { from: '2025-01-01T00:00:00Z', to: '2026-02-06T00:00:00Z' } }),
    ).toMatchObject({ field: 'filter.to', message: expect.stringContaining('at most 400 days') as string });
    await insertTask(api.database.pool, 'task');
    expect(
      await api.failure(
        '{ amrTasks { nodes { runSummary(from: "2026-01-02T00:00:00Z", to: "2026-01-01T00:00:00Z") { runs } } } }',
      ),
    ).toMatchObject({ field: 'to' });
  });
});

describe('runs', () => {
  it('are found by the error they ended with', async () => {
    const { pool } = api.database;
    const meter = await insertMeter(pool, 'm');
    const now = Date.now();
    await insertRun(null, meter, new Date(now), 'failed', { code: 'TIMEOUT' });
    await insertRun(null, meter, new Date(now + 1), 'pending', { code: 'TIMEOUT' });
    await insertRun(null, meter, new Date(now + 2), 'expired', { code: 'EXPIRED' });
    const find = (filter: string) =>
      api.run(`{ taskRuns(filter: ${filter}) { totalCount nodes { state errorCode } } }`);
    expect(await find('{errorCode: "TIMEOUT"}')).toEqual({
      taskRuns: { totalCount: 1, nodes: [{ state: 'FAILED', errorCode: 'TIMEOUT' }] },
    });
    expect(await find('{errorCode: "TIMEOUT", states: [EXPIRED, PENDING]}')).toMatchObject({
      taskRuns: { totalCount: 0 },
    });
    expect(await find('{states: []}')).toMatchObject({ taskRuns: { totalCount: 0 } });
  });
});
