import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectionOptions } from '../../src/db/database.js';
import { AmrSchedule } from '../../src/domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { latestSlot } from '../../src/domain/schedule.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { AmrTaskService } from '../../src/services/amr-tasks.js';

import { materialiseDueSlots, type FailedTask } from '../../src/services/slots.js';
import { silentLog } from '../support/broker.js';
import { claimDue } from '../support/claim.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { assignTask, insertGroup, insertMeter, insertTask } from '../support/rows.js';

const PERIOD_MS = 900_000;
const TIMINGS = { startByMs: 60_000, sessionCapMs: 60_000 };
const LONGEST_OFFSET_SECONDS = 20 * 366 * 86_400;

let test: TestDatabase;
const memoryBroker = new MemoryBroker(silentLog);
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(async () => {
  await memoryBroker.close();
  await test.drop();
});
beforeEach(() =>
  query(
    'truncate task_run, task_slot, poll_session, amr_task, amr_task_group, meter_device, network_interface cascade',
  ),
);
afterEach(() => vi.useRealTimers());

const query = async (sql: string, parameters: unknown[] = []) =>
  (await test.database.pool.query(sql, parameters)).rows as Record<string, unknown>[];

/** The newest quarter-hour by the database's clock. */
async function latest(): Promise<Date> {
  const [row] = await query('select now()');
  return latestSlot(AmrSchedule.QUARTERLY, row!['now'] as Date);
}

/** A task of one meter whose last slot was made `missed` slots before the newest one. */
async function taskBehind(missed: number, columns: Record<string, unknown> = {}): Promise<string> {
  const { pool } = test.database;
  const task = await insertTask(pool, 'behind', { catch_up: 'all', ...columns });
  await assignTask(pool, await insertMeter(pool, `meter of ${task}`), task);
  await recordSlot(task, new Date((await latest()).getTime() - missed * PERIOD_MS));
  return task;
}
const recordSlot = (task: string, slot: Date) =>
  query('insert into task_slot (amr_task_id, scheduled_for, run_count) values ($1, $2, 0)', [task, slot]);

/** Slots after the first, as periods before the newest one. */
async function slotsOf(task: string) {
  const newest = (await latest()).getTime();
  const rows = await query(
    'select scheduled_for, run_count, merged_into from task_slot where amr_task_id = $1 order by 1 offset 1',
    [task],
  );
  const age = (at: unknown) => Math.round((newest - (at as Date).getTime()) / PERIOD_MS);
  return rows.map((row) => ({
    age: age(row['scheduled_for']),
    runs: row['run_count'],
    into: row['merged_into'] === null ? null : age(row['merged_into']),
  }));
}
const runsOf = (task: string) =>
  query(
    `select scheduled_for, not_before, deadline, task_kwargs from task_run where amr_task_id = $1 order by scheduled_for`,
    [task],
  );

describe('missed slots that are all run', () => {
  it('are one run for the newest, which reads as far back as the oldest would have', async () => {
    const task = await taskBehind(4, { run_offset_seconds: 60 });
    const newest = await latest();
    expect(await materialiseDueSlots(test.database.pool)).toEqual([{ task, scheduledFor: newest, runs: 1, merged: 3 }]);
    expect(await runsOf(task)).toEqual([
      {
        scheduled_for: newest,
        not_before: new Date(newest.getTime() + 60_000),
        deadline: expect.any(Date) as Date,
        task_kwargs: { offset_seconds: 3600 + 3 * 900, archive_number: 3, control_position: 3 },
      },
    ]);
    expect(await slotsOf(task)).toEqual([
      { age: 3, runs: 0, into: 0 },
      { age: 2, runs: 0, into: 0 },
      { age: 1, runs: 0, into: 0 },
      { age: 0, runs: 1, into: null },
    ]);
    expect(await materialiseDueSlots(test.database.pool)).toEqual([]);
  });

  it('give their run its time from now on, as it would be over before it began', async () => {
    const task = await taskBehind(3, { deadline_seconds: 60 });
    // As after an outage of some hours: the newest slot is missed too.
    await query(`update amr_task set schedule = 'daily', active_since = now() - interval '3 days' where id = $1`, [
      task,
    ]);
    await query('delete from task_slot where amr_task_id = $1', [task]);
    await materialiseDueSlots(test.database.pool);
    const [slot] = await query(
      `select extract(epoch from deadline - now())::float8 as left, not_before = scheduled_for as due,
         scheduled_for < now() - interval '1 minute' as late from task_run where amr_task_id = $1`,
      [task],
    );
    // In the first minute of a day its slot is on time.
    const left = slot!['late'] ? 60 : 60 - (Date.now() % 86_400_000) / 1000;
    expect(slot!['due']).toBe(true);
    expect(slot!['left']).toBeGreaterThan(left - 5);
    expect(slot!['left']).toBeLessThanOrEqual(60);
  });

  it('are one run of a call with a fixed range', async () => {
    const task_kwargs = { start_date: '2026-01-01T00:00:00Z' };
    const task = await taskBehind(3, { task_call: 'read_archive_by_date', task_kwargs });
    await materialiseDueSlots(test.database.pool);
    expect(await runsOf(task)).toMatchObject([{ task_kwargs }]);
  });

  it.each([
    ['set_time', {}],
    ['read_single_value', { address: '2:300' }],
    ['a_call_of_another_version', {}],
  ])('are a run each for %s', async (task_call, task_kwargs) => {
    const task = await taskBehind(3, { task_call, task_kwargs });
    await materialiseDueSlots(test.database.pool);
    expect(await slotsOf(task)).toEqual([2, 1, 0].map((age) => ({ age, runs: 1, into: null })));
  });

  it('are several runs when one cannot reach back far enough', async () => {
    const task = await taskBehind(5, { task_kwargs: { offset_seconds: LONGEST_OFFSET_SECONDS - 900 } });
    await materialiseDueSlots(test.database.pool);
    expect(await slotsOf(task)).toEqual([
      { age: 4, runs: 1, into: null },
      { age: 3, runs: 0, into: 2 },
      { age: 2, runs: 1, into: null },
      { age: 1, runs: 0, into: 0 },
      { age: 0, runs: 1, into: null },
    ]);
    expect(
      (await runsOf(task)).map((run) => (run['task_kwargs'] as Record<string, unknown>)['offset_seconds']),
    ).toEqual([LONGEST_OFFSET_SECONDS - 900, LONGEST_OFFSET_SECONDS, LONGEST_OFFSET_SECONDS]);
  });

  it('are made once, however many schedulers look at once', async () => {
    const task = await taskBehind(4);
    const made = await Promise.all(Array.from({ length: 5 }, () => materialiseDueSlots(test.database.pool)));
    expect(made.flat()).toHaveLength(1);
    expect(await runsOf(task)).toHaveLength(1);
    expect(await slotsOf(task)).toHaveLength(4);
  });

  it('are still right when somebody else takes the newest meanwhile', async () => {
    const task = await taskBehind(3);
    const other = new pg.Client(test.url);
    await other.connect();
    try {
      await other.query('begin');
      const row = 'insert into task_slot (amr_task_id, scheduled_for, run_count) values ($1, $2, 7)';
      await other.query(row, [task, await latest()]);
      const looking = materialiseDueSlots(test.database.pool);
      const waiting = `select from pg_locks l join pg_stat_activity a using (pid) where not l.granted and a.datname = current_database()`;
      await expect.poll(() => query(waiting)).toHaveLength(1);
      await other.query('commit');
      expect(await looking).toMatchObject([{ runs: 1, merged: 1 }]);
    } finally {
      await other.end();
    }
    expect(await slotsOf(task)).toEqual([
      { age: 2, runs: 0, into: 1 },
      { age: 1, runs: 1, into: null },
      { age: 0, runs: 7, into: null },
    ]);
    expect(await runsOf(task)).toMatchObject([{ task_kwargs: { offset_seconds: 3600 + 900 } }]);
  });
});

describe('a look for slots', () => {
  it('makes those of all other tasks when one cannot be made, tells which, and makes it in the next look', async () => {
    const { pool } = test.database;
    const tasks: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      const task = await insertTask(pool, name);
      await assignTask(pool, await insertMeter(pool, `meter ${name}`), task);
      tasks.push(task);
    }
    await query(`create function refuse() returns trigger language plpgsql as $$ begin
      if new.amr_task_id = '${tasks[1]}' then raise exception 'no'; end if; return new; end $$`);
    await query('create trigger refuse before insert on task_run for each row execute function refuse()');
    const failures: FailedTask[] = [];
    try {
      const made = await materialiseDueSlots(pool, (failure) => failures.push(failure));
      expect(made.map(({ task }) => task).sort()).toEqual([tasks[0], tasks[2]].sort());
      expect(failures).toMatchObject([{ task: tasks[1], name: 'b', error: { message: 'no' } }]);
    } finally {
      await query('drop function refuse cascade');
    }
    expect(await materialiseDueSlots(pool)).toMatchObject([{ task: tasks[1], runs: 1 }]);
  });

  it('does not wait for a task whose slots another scheduler is making', async () => {
    const task = await taskBehind(2);
    const other = new pg.Client(test.url);
    await other.connect();
    try {
      await other.query('begin');
      await other.query('select pg_advisory_xact_lock(7265020, hashtext($1))', [task]);
      expect(await materialiseDueSlots(test.database.pool)).toEqual([]);
      await other.query('rollback');
    } finally {
      await other.end();
    }
    expect(await slotsOf(task)).toEqual([]);
    expect(await materialiseDueSlots(test.database.pool)).toMatchObject([{ task, merged: 1 }]);
  });

  it('gives a slot with very many runs more time than other statements have', async () => {
    const task = await taskBehind(1);
    const impatient = new pg.Pool({
      ...connectionOptions(test.url, 'test'),
      query_timeout: 250,
      statement_timeout: 250,
    });
    await query(`create function dawdle() returns trigger language plpgsql as $$ begin
      perform pg_sleep(0.6); return null; end $$`);
    await query('create trigger dawdle before insert on task_run for each statement execute function dawdle()');
    try {
      expect(await materialiseDueSlots(impatient)).toMatchObject([{ task, runs: 1 }]);
      // What it was allowed ended with its transaction.
      await expect(impatient.query('select pg_sleep(0.6)')).rejects.toThrow(/timeout/);
    } finally {
      await query('drop function dawdle cascade');
      await impatient.end();
    }
  });
});

describe('a scheduler with a wrong clock', () => {
  it.each(['2001-01-01T00:00:00Z', '2061-06-15T12:34:56Z'])(
    'in %s makes the slots that the database finds due',
    async (now) => {
      const task = await taskBehind(2, { catch_up: 'latest' });
      const newest = await latest();
      vi.useFakeTimers({ toFake: ['Date'], now: new Date(now) });
      expect(await materialiseDueSlots(test.database.pool)).toMatchObject([{ task, scheduledFor: newest }]);
      expect(await materialiseDueSlots(test.database.pool)).toEqual([]);
      vi.useRealTimers();
      expect(await slotsOf(task)).toEqual([1, 0].map((age) => ({ age, runs: age === 0 ? 1 : 0, into: null })));
    },
  );

  it.each(['2001-01-01T00:00:00Z', '2061-06-15T12:34:56Z'])(
    'in %s sends what is due by the database, and nothing else',
    async (now) => {
      await taskBehind(1);
      const { pool } = test.database;
      const held = await insertTask(pool, 'held back', { run_offset_seconds: 900 });
      await assignTask(pool, await insertMeter(pool, 'other'), held);
      await materialiseDueSlots(pool);
      vi.useFakeTimers({ toFake: ['Date'], now: new Date(now) });
      const sessions = await claimDue(pool, TIMINGS);
      vi.useRealTimers();
      expect(sessions).toHaveLength(1);
      expect(await query(`select amr_task_id from task_run where state = 'pending'`)).toEqual([{ amr_task_id: held }]);
    },
  );
});

it('starts no run before its time, to the millisecond', async () => {
  await taskBehind(1);
  const { pool } = test.database;
  await materialiseDueSlots(pool);
  await query(`update task_run set not_before = clock_timestamp() + interval '150 milliseconds'`);
  expect(await claimDue(pool, TIMINGS)).toEqual([]);
  await expect.poll(() => claimDue(pool, TIMINGS), { interval: 1 }).toHaveLength(1);
  expect(
    await query(
      'select s.created_at >= r.not_before as kept from task_run r join poll_session s on s.id = r.poll_session_id',
    ),
  ).toEqual([{ kept: true }]);
});

describe('a task that is changed between slots', () => {
  const update = (id: string, changes: object) =>
    new AmrTaskService(test.database, memoryBroker).update(DEFAULT_ORGANIZATION_ID, { id, ...changes });

  it('has no slot from before it was created', async () => {
    const { pool } = test.database;
    const task = await new AmrTaskService(test.database, memoryBroker).create(DEFAULT_ORGANIZATION_ID, {
      name: 'new',
      schedule: AmrSchedule.YEARLY,
      meterExecutionType: 'generic_lis200',
      taskCall: 'set_time',
    });
    await assignTask(pool, await insertMeter(pool, 'm'), task.id);
    expect(await materialiseDueSlots(pool)).toEqual([]);
  });

  it('runs with new arguments from the next slot on; runs that were made keep theirs', async () => {
    const { pool } = test.database;
    const task = await taskBehind(2, { catch_up: 'latest' });
    await query('update amr_task set catch_up = $1', ['all']);
    // As of the slot before: the newest is still to come.
    await recordSlot(task, new Date((await latest()).getTime() - PERIOD_MS));
    await update(task, { taskKwargs: { offset_seconds: 7200 } });
    expect(await materialiseDueSlots(pool)).toMatchObject([{ runs: 1, merged: 0 }]);
    await update(task, { taskKwargs: { offset_seconds: 60 }, runOffsetSeconds: 30 });
    expect(await materialiseDueSlots(pool)).toEqual([]);
    expect(await runsOf(task)).toMatchObject([{ task_kwargs: { offset_seconds: 7200 }, not_before: await latest() }]);
  });

  it('does not catch up what was due under another schedule', async () => {
    const task = await taskBehind(5);
    await update(task, { schedule: AmrSchedule.DAILY });
    expect(await materialiseDueSlots(test.database.pool)).toEqual([]);
  });

  it('makes nothing while it is disabled, and does not catch up that time when it is enabled again', async () => {
    const task = await taskBehind(5);
    await update(task, { isActive: false });
    expect(await materialiseDueSlots(test.database.pool)).toEqual([]);
    await update(task, { isActive: true });
    expect(await materialiseDueSlots(test.database.pool)).toEqual([]);
  });

  it('runs for the meters that its groups hold at the slot, and does not reopen a slot for later ones', async () => {
    const { pool } = test.database;
    const task = await insertTask(pool, 'grouped', { catch_up: 'latest' });
    const [first, second] = [await insertMeter(pool, 'first'), await insertMeter(pool, 'second')];
    const group = await insertGroup(pool, 'group', [task], [first]);
    await recordSlot(task, new Date((await latest()).getTime() - PERIOD_MS));
    await query('update meter_device_task_groups set meter_device_id = $1 where amr_task_group_id = $2', [
      second,
      group,
    ]);
    expect(await materialiseDueSlots(pool)).toMatchObject([{ runs: 1 }]);
    expect(await query('select meter_device_id from task_run')).toEqual([{ meter_device_id: second }]);
    await query('insert into meter_device_task_groups values ($1, $2)', [first, group]);
    expect(await materialiseDueSlots(pool)).toEqual([]);
    expect(await query('select meter_device_id from task_run')).toHaveLength(1);
  });
});
