import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ensurePartition } from '../../src/db/partitions.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { PlanAmrTaskDocument, type PlanAmrTaskQuery } from '../../src/graphql/generated/graphql.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import { assignTask, insertGroup, insertInterface, insertMeter, insertTask } from '../support/rows.js';

const CALL = {
  meterExecutionType: 'generic_lis200',
  taskCall: 'read_archive_by_offset_seconds',
  taskKwargs: { offset_seconds: 3600, archive_number: 3, control_position: 3 },
};
const NEW_TASK = { schedule: 'QUARTERLY', ...CALL };
const UNKNOWN = '01900000-0000-7000-8000-000000000000';

const brokers = testBrokers('memory:');
let api: TestApi;
beforeAll(async () => {
  api = await createTestApi(await brokers.open());
  const client = await api.database.pool.connect();
  // On the first of a month the runs of the last hours are in the month before.
  await ensurePartition(client, 'task_run', new Date(Date.now() - 86_400_000));
  client.release();
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});
beforeEach(() =>
  api.database.pool.query(
    'truncate worker, task_run, task_slot, poll_session, amr_task, amr_task_group, meter_device, network_interface, segment cascade',
  ),
);

const query = (sql: string, parameters: unknown[] = []) => api.database.pool.query(sql, parameters);
const plan = async (input: Record<string, unknown>) =>
  (await api.run<PlanAmrTaskQuery>(String(PlanAmrTaskDocument), { input })).planAmrTask;
const refusal = (input: Record<string, unknown>) => api.failure(String(PlanAmrTaskDocument), { input });

async function insertWorker(columns: {
  sessions: number;
  queues?: string[];
  seenSecondsAgo?: number;
  stopped?: boolean;
}) {
  const { sessions, queues = ['amr.scheduled'], seenSecondsAgo = 0, stopped = false } = columns;
  await query(
    `insert into worker (id, kind, host, pid, version, queues, max_sessions, open_sessions, last_seen_at, stopped_at)
     values ($1, 'poller', 'h', 1, '1', $2, $3, 0, now() - $4 * interval '1 second', case when $5 then now() end)`,
    [uuidAt(), queues, sessions, seenSecondsAgo, stopped],
  );
}

describe('a plan', () => {
  it('counts each meter once, and those left out by reason', async () => {
    const { pool } = api.database;
    const both = await insertMeter(pool, 'both');
    const meters = [
      both,
      await insertMeter(pool, 'retired', { life_cycle: 'retired', network_interface_id: null }),
      await insertMeter(pool, 'unreachable', { network_interface_id: null }),
      await insertMeter(pool, 'refused', { credentials_rejected_at: new Date() }),
    ];
    const group = await insertGroup(pool, 'one', [], meters);
    const other = await insertGroup(pool, 'two', [], [both]);
    expect(
      await plan({
        ...NEW_TASK,
        amrTaskGroups: [group, other],
        meterDevices: [both, await insertMeter(pool, 'direct')],
      }),
    ).toMatchObject({
      metersReached: 5,
      metersLeftOut: { retired: 1, withoutInterface: 1, credentialsRejected: 1 },
      sessionsPerSlot: 2,
      availableSeconds: 900,
      parallelSessionsNeeded: 1,
    });
  });

  it('takes groups, meters and call from a saved task, unless they are given', async () => {
    const { pool } = api.database;
    const [grouped, direct, given] = [
      await insertMeter(pool, 'grouped'),
      await insertMeter(pool, 'direct'),
      await insertMeter(pool, 'given'),
    ];
    const amrTask = await insertTask(pool, 'saved', { deadline_seconds: 600 });
    await insertGroup(pool, 'group', [amrTask], [grouped]);
    await assignTask(pool, direct, amrTask);
    expect(await plan({ amrTask })).toMatchObject({ sessionsPerSlot: 2, availableSeconds: 600 });
    expect(await plan({ amrTask, schedule: 'HOURLY', deadlineSeconds: 5000 })).toMatchObject({
      availableSeconds: 3600,
    });
    expect(await plan({ amrTask, amrTaskGroups: [] })).toMatchObject({ sessionsPerSlot: 1 });
    expect(await plan({ amrTask, amrTaskGroups: [], meterDevices: [given, grouped] })).toMatchObject({
      sessionsPerSlot: 2,
    });
    expect(await plan({ amrTask, amrTaskGroups: [], meterDevices: [] })).toMatchObject({
      sessionsPerSlot: 0,
      expectedDurationSeconds: 0,
      hottestInterface: null,
      hottestSegment: null,
      advice: [expect.stringContaining('No meter would be read')],
    });
  });

  it('counts the scheduled sessions of pollers that are there', async () => {
    const meter = await insertMeter(api.database.pool, 'm');
    expect(await plan({ ...NEW_TASK, meterDevices: [meter] })).toMatchObject({
      pollerCapacity: 0,
      expectedDurationSeconds: null,
      finishesBeforeNextSlot: false,
      advice: [expect.stringContaining('no poller is seen')],
    });
    await insertWorker({ sessions: 400, queues: ['amr.scheduled', 'amr.on_demand'] });
    await insertWorker({ sessions: 50 });
    await insertWorker({ sessions: 1000, queues: ['amr.on_demand'] });
    await insertWorker({ sessions: 1000, seenSecondsAgo: 36 });
    await insertWorker({ sessions: 1000, stopped: true });
    expect(await plan({ ...NEW_TASK, meterDevices: [meter] })).toMatchObject({
      pollerCapacity: 250,
      expectedDurationSeconds: 30,
      finishesBeforeNextSlot: true,
      advice: [],
    });
  });

  it('takes a deadline of null as none, whatever the saved task says', async () => {
    const task = await insertTask(api.database.pool, 'hasty', { deadline_seconds: 600 });
    expect((await plan({ amrTask: task })).availableSeconds).toBe(600);
    expect((await plan({ amrTask: task, deadlineSeconds: null })).availableSeconds).toBe(900);
  });

  it('says so when one session takes longer than there is, and advises no more of anything', async () => {
    const { pool } = api.database;
    const task = await insertTask(pool, 'hopeless', { deadline_seconds: 5 });
    await assignTask(pool, await insertMeter(pool, 'slow'), task);
    expect((await plan({ amrTask: task })).advice).toEqual([
      expect.stringMatching(/^One session takes 30 s and there are 5 s: .*ask for less in one run\.$/),
    ]);
  });

  it('names the interface and the segment that hold a slot up', async () => {
    const { pool } = api.database;
    await insertWorker({ sessions: 1000 });
    const { id: cell } = await api.services.segments.create(DEFAULT_ORGANIZATION_ID, {
      name: 'cell',
      maxOpenSessions: 1,
    });
    const { id: wide } = await api.services.segments.create(DEFAULT_ORGANIZATION_ID, {
      name: 'wide',
      maxNewSessionsPerSecond: 100,
    });
    const gateway = await insertInterface(pool, 'gateway', { segment_id: wide });
    const meters = await Promise.all([
      ...Array.from({ length: 31 }, (_, n) => insertMeter(pool, `behind ${n}`, { network_interface_id: gateway })),
      ...Array.from({ length: 40 }, async (_, n) =>
        insertMeter(pool, `in ${n}`, {
          network_interface_id: await insertInterface(pool, `line ${n}`, { segment_id: cell }),
        }),
      ),
    ]);
    const planned = await plan({ ...NEW_TASK, meterDevices: meters });
    expect(planned).toMatchObject({
      sessionsPerSlot: 71,
      hottestInterface: { networkInterface: { name: 'gateway' }, meters: 31, seconds: 930 },
      hottestSegment: { segment: { name: 'cell' }, meters: 40, seconds: 1200 },
      expectedDurationSeconds: 1200,
      finishesBeforeNextSlot: false,
    });
    expect(planned.advice).toEqual([
      expect.stringMatching(/segment "cell".*maxOpenSessions from 1 to 2.*HOURLY/),
      expect.stringMatching(/network interface "gateway".*spread 1 of them.*HOURLY/),
    ]);
    expect(await plan({ ...NEW_TASK, schedule: 'HOURLY', meterDevices: meters })).toMatchObject({
      finishesBeforeNextSlot: true,
      advice: [],
    });
  });

  it('measures sessions by first tries of the same call that succeeded lately, else takes the default', async () => {
    const { pool } = api.database;
    const meter = await insertMeter(pool, 'm');
    const task = await insertTask(pool, 'earlier');
    /** Runs of `seconds`, one in each of the last minutes. */
    const ran = (seconds: number, count: number, columns: Record<string, unknown> = {}) =>
      query(
        `insert into task_run (id, scheduled_for, organization_id, origin, state, meter_device_id, amr_task_id, attempts,
           meter_execution_type, task_call, task_kwargs, not_before, deadline, started_at, finished_at)
         select uuid_v7_at(at), at, $1, 'scheduled', $2, $3, $4, $5, 'generic_lis200', $6, '{}', at, at, at,
           at + $7 * interval '1 second'
         from generate_series(1, $8) n cross join lateral (select now() - n * interval '1 minute' as at) a`,
        [
          DEFAULT_ORGANIZATION_ID,
          columns['state'] ?? 'succeeded',
          meter,
          columns['task'] === undefined ? task : columns['task'],
          columns['attempts'] ?? 1,
          columns['call'] ?? CALL.taskCall,
          seconds,
          count,
        ],
      );
    await ran(5, 9);
    await ran(100, 50, { state: 'failed', task: null });
    await ran(100, 50, { attempts: 2, task: null });
    await ran(100, 50, { call: 'read_archive_by_date', task: null });
    const input = { ...NEW_TASK, meterDevices: [meter] };
    expect((await plan(input)).secondsPerSession).toEqual({ expected: 30, p95: 60, basis: 'DEFAULT', sampleSize: 9 });
    await ran(7, 9, { task: null });
    expect((await plan(input)).secondsPerSession).toMatchObject({ expected: 6, basis: 'MEASURED', sampleSize: 18 });
    expect((await plan(input)).secondsPerSession.p95).toBeCloseTo(7);
  });

  it('finds what it measures behind a slot whose runs have not begun', async () => {
    const { pool } = api.database;
    const task = await insertTask(pool, 'large');
    await query(
      `insert into meter_device (id, organization_id, name)
       select uuid_v7_at(now()), $1, 'm' || n from generate_series(1, 2500) n`,
      [DEFAULT_ORGANIZATION_ID],
    );
    for (const [hoursAgo, state] of [
      [1, 'pending'],
      [2, 'succeeded'],
    ] as const) {
      await query(
        `with slot as (select date_trunc('second', now() - $1 * interval '1 hour') as at),
         made as (insert into task_slot (amr_task_id, scheduled_for, run_count) select $2, at, 2500 from slot)
         insert into task_run (id, scheduled_for, organization_id, origin, state, meter_device_id, amr_task_id, attempts,
           meter_execution_type, task_call, task_kwargs, not_before, deadline, started_at, finished_at)
         select uuid_v7_at(at), at, $3, 'scheduled', $4, m.id, $2, 1, 'generic_lis200', $5, '{}', at, at, at, at + interval '4 seconds'
         from slot cross join meter_device m`,
        [hoursAgo, task, DEFAULT_ORGANIZATION_ID, state, CALL.taskCall],
      );
    }
    expect((await plan({ amrTask: task })).secondsPerSession).toMatchObject({ expected: 4, basis: 'MEASURED' });
  });

  it('refuses what saving would refuse, and what does not exist', async () => {
    const meter = await insertMeter(api.database.pool, 'm');
    expect(await refusal({ ...NEW_TASK, taskCall: 'read_nothing' })).toMatchObject({
      code: 'BAD_USER_INPUT',
      field: 'input.taskCall',
    });
    expect(await refusal(CALL)).toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.schedule' });
    expect(await refusal({ ...NEW_TASK, runOffsetSeconds: 901 })).toMatchObject({ field: 'input.runOffsetSeconds' });
    expect(await refusal({ amrTask: UNKNOWN })).toMatchObject({ code: 'NOT_FOUND', field: 'input.amrTask' });
    expect(await refusal({ ...NEW_TASK, meterDevices: [meter, UNKNOWN] })).toMatchObject({
      code: 'NOT_FOUND',
      field: 'input.meterDevices.1',
    });
    expect(await refusal({ ...NEW_TASK, amrTaskGroups: ['x'] })).toMatchObject({
      code: 'NOT_FOUND',
      field: 'input.amrTaskGroups.0',
    });
    expect(await refusal({ ...NEW_TASK, meterDevices: Array(10_001).fill(meter) })).toMatchObject({
      code: 'BAD_USER_INPUT',
      field: 'input.meterDevices',
      message: expect.stringContaining('at most 10000 ids') as string,
    });
  });
});
