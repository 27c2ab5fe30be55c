import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AmrSchedule } from '../../src/domain/enums.js';
import { latestSlot } from '../../src/domain/schedule.js';
import type { Delivery, Disposition } from '../../src/messaging/broker.js';
import type { PollSessionMessage, ResultMessage } from '../../src/messaging/contracts.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { claimSessions, dueMeters } from '../../src/services/claim.js';
import { expireRuns } from '../../src/services/expiry.js';
import { endAllLeases, endLeases } from '../../src/services/leases.js';
import { ResultsBook } from '../../src/services/results.js';
import { materialiseDueSlots } from '../../src/services/slots.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import {
  assignTask,
  deleteMetersAndTasks,
  insertGroup,
  insertInterface,
  insertMeter,
  insertTask,
} from '../support/rows.js';

const log = pino({ level: 'silent' });
const timings = { startByMs: 60_000, sessionCapMs: 60_000 };

describe('task runs', () => {
  let test: TestDatabase;
  let broker: MemoryBroker;
  beforeAll(async () => {
    test = await createTestDatabase();
    broker = new MemoryBroker(log);
  });
  afterAll(async () => {
    await broker.close();
    await test.drop();
  });
  beforeEach(() => deleteMetersAndTasks(test.database.pool));
  afterEach(async () => {
    // The second wall: whatever a test did, no interface ever had two open sessions.
    expect(
      await query(
        'select network_interface_id from poll_session where closed_at is null group by 1 having count(*) > 1',
      ),
    ).toEqual([]);
  });

  const query = async (sql: string, parameters: unknown[] = []) =>
    (await test.database.pool.query(sql, parameters)).rows as Record<string, unknown>[];
  const runs = (columns = '*') => query(`select ${columns} from task_run order by id`);
  const handle = (delivery: Delivery) =>
    new ResultsBook(test.database.pool, broker, timings, log, new AbortController().signal).handle(delivery);
  const report = (message: ResultMessage): Promise<Disposition> => {
    const delivery: Delivery = {
      body: Buffer.from(JSON.stringify(message)),
      redelivered: false,
      messageId: undefined,
      publishedAt: undefined,
      headers: {},
    };
    return handle(delivery);
  };
  const finished = (
    session: PollSessionMessage,
    run: string,
    error?: { code: 'TIMEOUT' | 'WRONG_PASSWORD'; message: string },
  ) => report({ type: 'run_finished', session: session.session, run, ok: !error, reading_count: 4, error });
  const closed = (session: PollSessionMessage, outcome: 'done' | 'lost' = 'done') =>
    report({ type: 'session_finished', session: session.session, outcome, duration_ms: 1, poller: 'test' });
  /** As the dispatcher does, for both queues. */
  const claim = async () => {
    const { pool } = test.database;
    const claimed: PollSessionMessage[] = [];
    for (const queue of ['amr.on_demand', 'amr.scheduled'] as const)
      claimed.push(...(await claimSessions(pool, queue, await dueMeters(pool, queue, timings), timings)));
    return claimed;
  };

  describe('slots', () => {
    it('make one run for a meter reached twice, none for a retired one, and say why one without interface fails', async () => {
      const { pool } = test.database;
      const task = await insertTask(pool, 'hourly values');
      const meter = await insertMeter(pool, 'm1');
      await insertGroup(pool, 'one', [task], [meter, await insertMeter(pool, 'retired', { life_cycle: 'retired' })]);
      await insertGroup(
        pool,
        'two',
        [task],
        [meter, await insertMeter(pool, 'unreachable', { network_interface_id: null })],
      );
      await assignTask(pool, meter, task);

      expect(await materialiseDueSlots(pool)).toEqual([expect.objectContaining({ task, runs: 2 })]);
      expect(
        (await runs('state, error_code')).sort((a, b) => (String(a['state']) < String(b['state']) ? -1 : 1)),
      ).toEqual([
        { state: 'failed', error_code: 'NO_INTERFACE' },
        { state: 'pending', error_code: null },
      ]);
    });

    it('are materialised once, however many schedulers look at once', async () => {
      const { pool } = test.database;
      const task = await insertTask(pool, 'raced');
      await assignTask(pool, await insertMeter(pool, 'm1'), task);
      const made = await Promise.all(Array.from({ length: 5 }, () => materialiseDueSlots(pool)));
      expect(made.flat()).toHaveLength(1);
      expect(await runs()).toHaveLength(1);
      expect(await materialiseDueSlots(pool)).toEqual([]);
    });

    it('hold back a run by its offset, and stamp its id with the slot', async () => {
      const { pool } = test.database;
      const task = await insertTask(pool, 'late', { run_offset_seconds: 300 });
      await assignTask(pool, await insertMeter(pool, 'm1'), task);
      await materialiseDueSlots(pool);
      const [run] = await query('select scheduled_for, not_before, deadline, id from task_run');
      const slot = (run!['scheduled_for'] as Date).getTime();
      expect((run!['not_before'] as Date).getTime() - slot).toBe(300_000);
      expect((run!['deadline'] as Date).getTime() - slot).toBeGreaterThanOrEqual(300_000 + 900_000);
      expect(parseInt((run!['id'] as string).replaceAll('-', '').slice(0, 12), 16)).toBe(slot);
    });

    it('before a task was active or was disabled are not made', async () => {
      const { pool } = test.database;
      await insertTask(pool, 'new', { active_since: new Date() });
      await insertTask(pool, 'off', { is_active: false });
      expect(await materialiseDueSlots(pool)).toEqual([]);
    });

    it('missed during an outage follow the catch-up policy', async () => {
      const { pool } = test.database;
      const now = new Date();
      const latest = latestSlot(AmrSchedule.QUARTERLY, now).getTime();
      for (const catch_up of ['latest', 'all', 'skip']) {
        const task = await insertTask(pool, catch_up, { catch_up });
        await query('insert into task_slot (amr_task_id, scheduled_for, run_count) values ($1, $2, 0)', [
          task,
          new Date(latest - 3 * 900_000),
        ]);
      }
      const made = await materialiseDueSlots(pool);
      const counts = await query(
        `select t.name, count(*) filter (where not skipped)::int as run, count(merged_into)::int as merged from task_slot s join amr_task t on t.id = s.amr_task_id
         where s.scheduled_for > $1 group by 1 order by 1`,
        [new Date(latest - 3 * 900_000)],
      );
      // A test that starts within a minute of a quarter-hour finds the newest slot on time.
      const skip = now.getTime() - latest < 60_000 ? 1 : 0;
      expect(counts).toEqual([
        { name: 'all', run: 3, merged: 2 },
        { name: 'latest', run: 1, merged: 0 },
        { name: 'skip', run: skip, merged: 0 },
      ]);
      expect(made).toHaveLength(2 + skip);
    });
  });

  /** A due run on each of `meters`. */
  async function due(meters: readonly string[], columns: Record<string, unknown> = {}): Promise<void> {
    const { pool } = test.database;
    const task = await insertTask(pool, `task ${Math.random()}`, columns);
    for (const meter of meters) await assignTask(pool, meter, task);
    await materialiseDueSlots(pool);
  }

  describe('dispatch', () => {
    it('bundles the due runs of a meter in priority order', async () => {
      const meter = await insertMeter(test.database.pool, 'm1', {
        serial_number: 'S1',
        credentials: Buffer.from('sealed'),
      });
      await due([meter], { priority: 1, task_call: 'read_single_value', task_kwargs: { address: '2:300.0' } });
      await due([meter], { priority: 9 });
      const [session, ...others] = await claim();
      expect(others).toEqual([]);
      expect(session!.calls.map((call) => call.task_call)).toEqual([
        'read_archive_by_offset_seconds',
        'read_single_value',
      ]);
      expect(session).toMatchObject({
        attempt: 1,
        origin: 'scheduled',
        meter: { id: meter, name: 'm1', serial_number: 'S1' },
        connection: { kind: 'tcp', host: '127.0.0.1', port: 9 },
        sealed_credentials: Buffer.from('sealed').toString('base64'),
      });
      expect(await claim()).toEqual([]);
    });

    it('opens one session at a time on an interface shared by many meters', async () => {
      const { pool } = test.database;
      const gateway = await insertInterface(pool, 'gateway');
      const meters = await Promise.all(
        ['a', 'b', 'c'].map((name) => insertMeter(pool, name, { network_interface_id: gateway })),
      );
      await due(meters);
      const first = await Promise.all([claim(), claim(), claim()]);
      expect(first.flat()).toHaveLength(1);
      await closed(first.flat()[0]!);
      expect(await claim()).toHaveLength(1);
    });

    it('lets a run that somebody waits for go first, on its own queue', async () => {
      const { pool } = test.database;
      const meter = await insertMeter(pool, 'm1');
      await due([meter], { priority: 100 });
      await query(
        `insert into task_run (id, scheduled_for, organization_id, origin, state, meter_device_id, meter_execution_type, task_call, task_kwargs, not_before, deadline)
         select uuid_v7_at(now()), now(), organization_id, 'on_demand', 'pending', id, 'generic_lis200', 'read_single_value', '{}', now() - interval '1 second', now() + interval '1 hour'
         from meter_device`,
      );
      expect(await claim()).toMatchObject([{ origin: 'on_demand', calls: [{ task_call: 'read_single_value' }] }]);
    });

    it('never opens more sessions in a segment than it may hold', async () => {
      const { pool } = test.database;
      await query(
        `insert into segment (id, organization_id, name, max_open_sessions) select gen_random_uuid(), id, 'cell', 3 from organization`,
      );
      const [segment] = await query('select id from segment');
      const meters: string[] = [];
      for (let index = 0; index < 10; index++) {
        const line = await insertInterface(pool, `line ${index}`, { segment_id: segment!['id'] });
        meters.push(await insertMeter(pool, `m${index}`, { network_interface_id: line }));
      }
      await due(meters);
      const first = await claim();
      expect(first).toHaveLength(3);
      expect(await claim()).toEqual([]);
      await closed(first[0]!);
      expect(await claim()).toHaveLength(1);
    });
  });

  describe('results', () => {
    it('carry a run from pending to succeeded, and the meter into service', async () => {
      await due([await insertMeter(test.database.pool, 'm1')]);
      const [session] = await claim();
      const run = session!.calls[0]!.run;
      await report({ type: 'session_started', session: session!.session });
      expect(await runs('state')).toEqual([{ state: 'running' }]);
      await finished(session!, run);
      await report({
        type: 'session_finished',
        session: session!.session,
        outcome: 'done',
        duration_ms: 5,
        clock_deviation_seconds: -2.5,
        poller: 'p',
      });
      expect(await runs('state, reading_count, attempts, error_code')).toEqual([
        { state: 'succeeded', reading_count: 4, attempts: 1, error_code: null },
      ]);
      expect(await query('select life_cycle, clock_deviation_seconds from meter_device')).toEqual([
        { life_cycle: 'active', clock_deviation_seconds: -2.5 },
      ]);
      expect(await query('select 1 from poll_session where closed_at is null')).toEqual([]);
    });

    it('that come twice count once', async () => {
      await due([await insertMeter(test.database.pool, 'm1')]);
      const [session] = await claim();
      await finished(session!, session!.calls[0]!.run);
      await finished(session!, session!.calls[0]!.run);
      expect(await runs('reading_count')).toEqual([{ reading_count: 4 }]);
    });

    it('put a run back for another try after an error that can pass', async () => {
      await due([await insertMeter(test.database.pool, 'm1')]);
      const [session] = await claim();
      await finished(session!, session!.calls[0]!.run, { code: 'TIMEOUT', message: 'no answer' });
      expect(await runs("state, error_code, error_message, not_before > now() - interval '1 second' as later")).toEqual(
        [{ state: 'pending', error_code: 'TIMEOUT', error_message: 'no answer', later: true }],
      );
    });

    it('of a failed try that come twice count once', async () => {
      await due([await insertMeter(test.database.pool, 'm1')]);
      const [session] = await claim();
      const failed = () => finished(session!, session!.calls[0]!.run, { code: 'TIMEOUT', message: 'no answer' });
      await failed();
      const [first] = await runs('reading_count, not_before');
      await failed();
      expect(await runs('reading_count, not_before')).toEqual([first]);
    });

    it('with text that the database cannot hold are booked with what can be held', async () => {
      await due([await insertMeter(test.database.pool, 'm1')]);
      const [session] = await claim();
      const run = session!.calls[0]!.run;
      await report({
        type: 'run_finished',
        session: session!.session,
        run,
        ok: false,
        reading_count: 0,
        error: { code: 'WRONG_METER', message: 'it is 9\x009' },
      });
      expect(await runs('state, error_code, error_message')).toEqual([
        { state: 'failed', error_code: 'WRONG_METER', error_message: 'it is 9\uFFFD9' },
      ]);
    });

    it('reported together are booked together, and one that cannot be booked is set aside alone', async () => {
      const { pool } = test.database;
      await due(await Promise.all(['a', 'b', 'c'].map((name) => insertMeter(pool, name))));
      const sessions = await claim();
      const book = new ResultsBook(pool, broker, timings, log, new AbortController().signal);
      const tell = (message: ResultMessage) =>
        book.handle({
          body: Buffer.from(JSON.stringify(message)),
          redelivered: false,
          messageId: undefined,
          publishedAt: undefined,
          headers: {},
        });
      const dispositions = await Promise.all(
        sessions.flatMap(({ session, calls }, index) => [
          tell({ type: 'session_started', session }),
          // More readings than the column holds.
          tell({ type: 'run_finished', session, run: calls[0]!.run, ok: true, reading_count: index === 1 ? 3e9 : 4 }),
          tell({ type: 'session_finished', session, outcome: 'done', duration_ms: 1, reached: true, poller: 'p' }),
        ]),
      );
      expect(dispositions.map(({ kind }) => kind)).toEqual(
        dispositions.map((_, index) => (index === 4 ? 'dead-letter' : 'ack')),
      );
      expect(await query('select state, count(*)::int from task_run group by 1 order by 1')).toEqual([
        { state: 'running', count: 1 },
        { state: 'succeeded', count: 2 },
      ]);
      expect(await query('select 1 from poll_session where closed_at is null')).toEqual([]);
    });

    it('that an interface was not reached hold it from the fifth in a row, until one reaches it', async () => {
      const { pool } = test.database;
      const gateway = await insertInterface(pool, 'gateway');
      const names = ['a', 'b', 'c', 'd', 'e', 'f'];
      await due(await Promise.all(names.map((name) => insertMeter(pool, name, { network_interface_id: gateway }))));
      const end = (session: PollSessionMessage, reached: boolean) =>
        report({
          type: 'session_finished',
          session: session.session,
          outcome: 'done',
          duration_ms: 1,
          reached,
          unreachable_reason: reached ? undefined : 'no route',
          poller: 'p',
        });
      for (let failures = 1; failures <= 5; failures++) {
        expect(await query('select 1 from interface_breaker where open_until is not null')).toEqual([]);
        const [session] = await claim();
        await end(session!, false);
      }
      expect(await query('select failures, error_message, open_until > now() as held from interface_breaker')).toEqual([
        { failures: 5, error_message: 'no route', held: true },
      ]);
      expect(await claim()).toEqual([]);
      await query(`update interface_breaker set open_until = now() - interval '1 second'`);
      const [probe, ...more] = await claim();
      expect(more).toEqual([]);
      await end(probe!, true);
      expect(await query('select 1 from interface_breaker')).toEqual([]);
    });

    it('fail a run at once after a wrong password', async () => {
      await due([await insertMeter(test.database.pool, 'm1')]);
      const [session] = await claim();
      await finished(session!, session!.calls[0]!.run, { code: 'WRONG_PASSWORD', message: 'refused' });
      expect(await runs('state, error_code')).toEqual([{ state: 'failed', error_code: 'WRONG_PASSWORD' }]);
    });

    it('of an older attempt change nothing', async () => {
      await due([await insertMeter(test.database.pool, 'm1')]);
      const [first] = await claim();
      await closed(first!, 'lost');
      await query(`update poll_session set lease_until = now() - interval '1 second'`);
      expect(await endLeases(test.database.pool, broker)).toBe(1);
      await query(`update task_run set not_before = now() - interval '1 second'`);
      const [second] = await claim();
      expect(second).toMatchObject({ attempt: 2 });
      await finished(first!, first!.calls[0]!.run, { code: 'WRONG_PASSWORD', message: 'from the past' });
      expect(await runs('state, attempts, error_code')).toEqual([
        { state: 'dispatched', attempts: 2, error_code: 'LOST' },
      ]);
      await finished(second!, second!.calls[0]!.run);
      expect(await runs('state')).toEqual([{ state: 'succeeded' }]);
    });

    it.each([
      ['not JSON', Buffer.from('{')],
      ['of an unknown type', Buffer.from('{"type":"gossip"}')],
    ])('%s become dead letters', async (_title, body) => {
      expect(
        await handle({ body, redelivered: false, messageId: undefined, publishedAt: undefined, headers: {} }),
      ).toMatchObject({ kind: 'dead-letter' });
    });
  });

  describe('leases', () => {
    it('keep the interface of a lost session until they end, then send its runs again', async () => {
      await due([await insertMeter(test.database.pool, 'm1')]);
      const [session] = await claim();
      await closed(session!, 'lost');
      expect(await endLeases(test.database.pool, broker)).toBe(0);
      expect(await claim()).toEqual([]);
      await query(`update poll_session set lease_until = now() - interval '1 second'`);
      expect(await endLeases(test.database.pool, broker)).toBe(1);
      expect(await runs('state, error_code')).toEqual([{ state: 'pending', error_code: 'LOST' }]);
    });

    it('of a process that died with its broker are ended at the next start', async () => {
      await due([await insertMeter(test.database.pool, 'm1')]);
      const [session] = await claim();
      await report({ type: 'session_started', session: session!.session });
      await endAllLeases(test.database.pool);
      expect(await endLeases(test.database.pool, broker)).toBe(1);
      expect(await runs('state, error_code')).toEqual([{ state: 'pending', error_code: 'LOST' }]);
    });

    it('do not repeat a write that may have happened, unless it may be repeated', async () => {
      const meters = await Promise.all(['a', 'b'].map((name) => insertMeter(test.database.pool, name)));
      await due([meters[0]!], { task_call: 'set_time', task_kwargs: {} });
      await due([meters[1]!], { task_call: 'open_the_valve', task_kwargs: {} });
      for (const session of await claim()) await report({ type: 'session_started', session: session.session });
      await query(`update poll_session set lease_until = now() - interval '1 second'`);
      expect(await endLeases(test.database.pool, broker)).toBe(2);
      expect(await query('select task_call, state from task_run order by task_call')).toEqual([
        { task_call: 'open_the_valve', state: 'failed' },
        { task_call: 'set_time', state: 'pending' },
      ]);
    });

    it('end runs that no session could begin in time, with the reason', async () => {
      const { pool } = test.database;
      const line = await insertInterface(pool, 'shared');
      const meters = await Promise.all(
        ['a', 'b'].map((name) => insertMeter(pool, name, { network_interface_id: line })),
      );
      await due(meters);
      await claim();
      await query(
        `update task_run set deadline = now() - interval '1 second', not_before = now() - interval '2 seconds' where state = 'pending'`,
      );
      expect(await expireRuns(pool, broker)).toBe(1);
      expect(await query(`select error_code from task_run where state = 'expired'`)).toEqual([
        { error_code: 'NO_WORKER' },
      ]);
    });
  });
});
