import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Broker } from '../../src/messaging/broker.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import {
  assignTask,
  insertDueRun,
  insertGroup,
  insertInterface,
  insertMeter,
  insertSegment,
  insertTask,
} from '../support/rows.js';

const brokers = testBrokers('memory:');
let broker: Broker;
let api: TestApi;

beforeAll(async () => {
  broker = await brokers.open();
  api = await createTestApi(broker);
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});

const remove = (kind: string, id: string, more = '') =>
  `mutation { delete${kind}(input: {id: "${id}"${more}}) { id } }`;
const force = ', force: true';
const rows = async (sql: string, ...values: unknown[]) =>
  (await api.database.pool.query<Record<string, unknown>>(sql, values)).rows;
const runState = async (id: string) => (await rows('select state, amr_task_id from task_run where id = $1', id))[0];
/** An open session on an interface. */
const openSession = (line: string, meter: string) =>
  rows(
    `insert into poll_session (id, organization_id, network_interface_id, meter_device_id, queue, attempt, state, lease_until)
     values ($1, $2, $3, $4, 'amr.scheduled', 1, 'running', now() + interval '1 minute') returning id`,
    uuidAt(),
    DEFAULT_ORGANIZATION_ID,
    line,
    meter,
  );

describe('a task in use', () => {
  it('says what would break; by force its links go, what waits is cancelled, what is at a meter is asked for', async () => {
    const { pool } = api.database;
    const meter = await insertMeter(pool, 'polled');
    const task = await insertTask(pool, 'archive');
    const group = await insertGroup(pool, 'group', [task], [meter]);
    await assignTask(pool, meter, task);
    const waiting = await insertDueRun(pool, meter, { amr_task_id: task });
    const running = await insertDueRun(pool, meter, {
      amr_task_id: task,
      state: 'running',
      scheduled_for: new Date(Date.now() - 60_000),
    });
    const ended = await insertDueRun(pool, meter, {
      amr_task_id: task,
      state: 'succeeded',
      scheduled_for: new Date(Date.now() - 120_000),
    });
    const heard: string[] = [];
    const listener = await broker.listen('amr.control', (body) => void heard.push(body.toString()));

    const refused = await api.failure(remove('AmrTask', task));
    expect(refused).toMatchObject({ code: 'CONFLICT', field: 'input.id' });
    expect(refused.message).toMatch(
      /"archive" is in use: 1 task group, .*; 1 meter, .*; 2 runs that have not ended, .*isActive.* force: true/,
    );
    expect(await runState(waiting)).toMatchObject({ state: 'pending' });

    await api.run(remove('AmrTask', task, force));
    expect(await runState(waiting)).toEqual({ state: 'cancelled', amr_task_id: null });
    expect(await runState(running)).toEqual({ state: 'running', amr_task_id: null });
    expect(
      await rows('select id from task_run where cancel_requested_at is not null and state = $1', 'running'),
    ).toEqual([{ id: running }]);
    expect(await runState(ended)).toMatchObject({ state: 'succeeded' });
    await expect.poll(() => heard.some((body) => body.includes('cancel_runs') && body.includes(running))).toBe(true);
    await listener.drain();
    expect(await rows('select name from amr_task_group where id = $1', group)).toEqual([{ name: 'group' }]);
    const [entry] = await rows(
      `select before, after from audit_entry where action = 'deleteAmrTask' and subject_id = $1`,
      task,
    );
    expect(entry).toMatchObject({
      before: { name: 'archive', cancelledRuns: 1, cancelRequestedRuns: 1 },
      after: { force: true },
    });
  });
});

it('a group by force leaves its tasks and meters, and cancels what it alone asked for', async () => {
  const { pool } = api.database;
  const [shared, alone] = [await insertMeter(pool, 'in two groups'), await insertMeter(pool, 'in one group')];
  const task = await insertTask(pool, 'of a group');
  const group = await insertGroup(pool, 'to go', [task], [shared, alone]);
  await insertGroup(pool, 'to stay', [task], [shared]);
  const kept = await insertDueRun(pool, shared, { amr_task_id: task });
  const cancelled = await insertDueRun(pool, alone, { amr_task_id: task });
  expect((await api.failure(remove('AmrTaskGroup', group))).message).toMatch(
    /2 meters, .*; 1 task, .*; 1 run that has not ended/,
  );
  await api.run(remove('AmrTaskGroup', group, force));
  expect(await runState(kept)).toMatchObject({ state: 'pending' });
  expect(await runState(cancelled)).toMatchObject({ state: 'cancelled', amr_task_id: task });
});

it('an interface by force releases its meters; never while a session is open', async () => {
  const { pool } = api.database;
  const line = await insertInterface(pool, 'gateway');
  const meter = await insertMeter(pool, 'behind it', { network_interface_id: line });
  const run = await insertDueRun(pool, meter);
  const [session] = await openSession(line, meter);
  expect((await api.failure(remove('NetworkInterface', line, force))).message).toMatch(/session open/);
  await rows('update poll_session set closed_at = now(), state = $2 where id = $1', session!['id'], 'closed');
  expect((await api.failure(remove('NetworkInterface', line))).message).toMatch(/1 meter, .*; 1 run .*; 1 session, /);
  await api.run(remove('NetworkInterface', line, force));
  expect(await runState(run)).toMatchObject({ state: 'cancelled' });
  expect(await rows('select network_interface_id, version from meter_device where id = $1', meter)).toEqual([
    { network_interface_id: null, version: 2 },
  ]);
});

it('a segment by force leaves its interfaces unlimited, each at a new version', async () => {
  const { pool } = api.database;
  const cell = await insertSegment(pool, 'cell');
  const line = await insertInterface(pool, 'in the cell', { segment_id: cell });
  expect((await api.failure(remove('Segment', cell))).message).toMatch(
    /1 network interface, whose sessions would no longer be limited/,
  );
  await api.run(remove('Segment', cell, force));
  expect(await rows('select segment_id, version from network_interface where id = $1', line)).toEqual([
    { segment_id: null, version: 2 },
  ]);
});

describe('a meter', () => {
  it('with readings is never deleted, nor its series; one that is being read neither', async () => {
    const { pool } = api.database;
    const meter = await insertMeter(pool, 'read');
    const { id: series } = await api.services.series.upsert(DEFAULT_ORGANIZATION_ID, { name: '2:300' });
    await rows('insert into register (meter_device_id, series_id) values ($1, $2) returning id', meter, series);
    for (const more of ['', force]) {
      expect((await api.failure(remove('MeterDevice', meter, more))).message).toMatch(/readings of 1 series.*RETIRED/);
      expect((await api.failure(remove('Series', series, more))).message).toMatch(/readings of 1 meter.*Keep it/);
    }
    const atIt = await insertMeter(pool, 'at the meter');
    await insertDueRun(pool, atIt, { state: 'running' });
    const published = await insertMeter(pool, 'published, not stored');
    await insertDueRun(pool, published, { state: 'succeeded', reading_count: 3 });
    for (const id of [atIt, published])
      expect((await api.failure(remove('MeterDevice', id, force))).message).toMatch(/under way.*RETIRED/);
  });

  it('without readings goes by force with its runs and installations, and its point by force with them', async () => {
    const { pool } = api.database;
    const [meter, other] = [await insertMeter(pool, 'never read'), await insertMeter(pool, 'stays')];
    const run = await insertDueRun(pool, meter, { state: 'failed' });
    const point = await api.services.meteringPoints.create(DEFAULT_ORGANIZATION_ID, { name: 'flat' });
    for (const meterDevice of [meter, other])
      await api.services.installations.install(DEFAULT_ORGANIZATION_ID, {
        ...{ meteringPoint: point.id, meterDevice, installedAt: new Date('2026-01-01T00:00:00Z') },
      });
    expect((await api.failure(remove('MeterDevice', meter))).message).toMatch(/1 run, .*; 1 installation, .*RETIRED/);
    await api.run(remove('MeterDevice', meter, force));
    expect(await runState(run)).toBeUndefined();
    expect((await api.failure(remove('MeteringPoint', point.id))).message).toMatch(/1 installation, /);
    await api.run(remove('MeteringPoint', point.id, force));
    expect(await rows('select id from meter_device where id = $1', other)).toHaveLength(1);
  });
});

describe('a version', () => {
  const kinds: [string, (name: string) => Promise<{ id: string; version: number }>][] = [
    [
      'AmrTask',
      (name) =>
        api.services.amrTasks.create(DEFAULT_ORGANIZATION_ID, {
          name,
          schedule: 'daily' as never,
          meterExecutionType: 'generic_lis200',
          taskCall: 'set_time',
        }),
    ],
    ['AmrTaskGroup', (name) => api.services.amrTaskGroups.create(DEFAULT_ORGANIZATION_ID, { name })],
    ['MeterDevice', (name) => api.services.meterDevices.create(DEFAULT_ORGANIZATION_ID, { name })],
    [
      'NetworkInterface',
      (name) =>
        api.services.networkInterfaces.create(DEFAULT_ORGANIZATION_ID, {
          name,
          kind: 'tcp' as never,
          host: '127.0.0.1',
          port: 9,
        }),
    ],
    ['Segment', (name) => api.services.segments.create(DEFAULT_ORGANIZATION_ID, { name })],
    ['MeteringPoint', (name) => api.services.meteringPoints.create(DEFAULT_ORGANIZATION_ID, { name })],
  ];
  it.each(kinds)('of %s rises with each change, and another than expected is a CONFLICT', async (kind, create) => {
    const { id, version } = await create(`versioned ${kind}`);
    expect(version).toBe(1);
    const field = kind[0]!.toLowerCase() + kind.slice(1);
    const update = (name: string, expected: number) =>
      `mutation { update${kind}(input: {id: "${id}", name: "${name}", expectedVersion: ${expected}}) { ${field} { name version } } }`;
    expect(await api.run(update(`renamed ${kind}`, 1))).toEqual({
      [`update${kind}`]: { [field]: { name: `renamed ${kind}`, version: 2 } },
    });
    expect(await api.failure(update('late', 1))).toMatchObject({
      ...{ code: 'CONFLICT', field: 'input.expectedVersion' },
      message: expect.stringContaining('it is at version 2, not 1') as string,
    });
    expect(await api.failure(remove(kind, id, ', expectedVersion: 1, force: true'))).toMatchObject({
      field: 'input.expectedVersion',
    });
    await api.run(remove(kind, id, ', expectedVersion: 2'));
  });

  it('guards series, installations and the organization too', async () => {
    const upsert = (expected: number, unit: string) =>
      `mutation { upsertSeries(input: {name: "1-0:1.8.0*255", unit: "${unit}", expectedVersion: ${expected}}) { series { version } } }`;
    expect((await api.failure(upsert(1, 'kWh'))).message).toContain('at version 0, not 1');
    const created = await api.services.series.upsert(DEFAULT_ORGANIZATION_ID, { name: '1-0:1.8.0*255', unit: 'Wh' });
    expect(await api.run(upsert(created.version, 'kWh'))).toEqual({
      upsertSeries: { series: { version: created.version + 1 } },
    });
    expect((await api.failure(upsert(created.version, 'MWh'))).code).toBe('CONFLICT');
    const organization = (expected: number) =>
      `mutation { updateOrganization(input: {revisionPolicy: KEEP_FIRST, expectedVersion: ${expected}}) { organization { version } } }`;
    expect((await api.failure(organization(7))).message).toMatch(/at version \d+, not 7/);
  });
});
