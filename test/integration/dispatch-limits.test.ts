import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import type { PollSessionMessage } from '../../src/messaging/contracts.js';
import { claimSessions, dueMeters } from '../../src/services/claim.js';
import { recordUnreachable } from '../../src/services/interface-breaker.js';
import { endLeases } from '../../src/services/leases.js';
import { expireRuns } from '../../src/services/expiry.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { deleteMetersAndTasks, insertDueRun, insertInterface, insertMeter, insertSegment } from '../support/rows.js';

const timings = { startByMs: 60_000, sessionCapMs: 60_000 };

describe('what limits dispatch', () => {
  let test: TestDatabase;
  let broker: MemoryBroker;
  beforeAll(async () => {
    test = await createTestDatabase();
    broker = new MemoryBroker(pino({ level: 'silent' }));
  });
  afterAll(async () => {
    await broker.close();
    await test.drop();
  });
  beforeEach(() => deleteMetersAndTasks(test.database.pool));

  const query = async (sql: string, parameters: unknown[] = []) =>
    (await test.database.pool.query(sql, parameters)).rows as Record<string, unknown>[];
  const claim = async (queue: 'amr.scheduled' | 'amr.on_demand' = 'amr.scheduled') => {
    const { pool } = test.database;
    return claimSessions(pool, queue, await dueMeters(pool, queue, timings), timings);
  };
  const close = (sessions: readonly PollSessionMessage[]) =>
    query('update poll_session set closed_at = now() where id = any($1::uuid[])', [sessions.map((s) => s.session)]);
  /** `count` meters with a due run each, on interfaces of their own in `segment`. */
  const meters = async (count: number, segment: string | null, name = 'm') => {
    const { pool } = test.database;
    for (let index = 0; index < count; index++) {
      const line = await insertInterface(pool, `${name} ${index}`, { segment_id: segment });
      const meter = await insertMeter(pool, `${name} ${index}`, { network_interface_id: line });
      await insertDueRun(pool, meter);
    }
  };

  describe('new sessions in a segment', () => {
    it('are no more than it allows in a second, also when those before are over already', async () => {
      const segment = await insertSegment(test.database.pool, 'cell', { max_new_sessions_per_second: 2 });
      await meters(6, segment);
      const first = await claim();
      expect(first).toHaveLength(2);
      await query(`update poll_session set state = 'closed', started_at = now(), closed_at = now()`);
      expect(await claim()).toEqual([]);
      await query(
        `update poll_session set created_at = created_at - interval '2 seconds', started_at = now() - interval '2 seconds'`,
      );
      expect(await claim()).toHaveLength(2);
    });

    it('count those that wait for a poller, which could all begin at once, until they can no longer begin', async () => {
      const segment = await insertSegment(test.database.pool, 'cell', { max_new_sessions_per_second: 2 });
      await meters(4, segment);
      expect(await claim()).toHaveLength(2);
      await query(`update poll_session set created_at = created_at - interval '30 seconds'`);
      expect(await claim()).toEqual([]);
      await query(`update poll_session set created_at = created_at - interval '31 seconds'`);
      expect(await claim()).toHaveLength(2);
    });

    it('do not starve the segments behind them', async () => {
      const { pool } = test.database;
      const narrow = await insertSegment(pool, 'narrow', { max_open_sessions: 1 });
      await meters(40, narrow, 'first');
      await query(`update task_run set priority = 9`);
      await meters(2, null, 'behind');
      expect((await claim()).map((session) => session.meter.name.split(' ')[0]).sort()).toEqual([
        'behind',
        'behind',
        'first',
      ]);
    });
  });

  it('segments that one look at the due runs fills get their sessions, though the next look is for others', async () => {
    const { pool } = test.database;
    const segment = await insertSegment(pool, 'cell', { max_open_sessions: 2 });
    await meters(4, segment);
    // More than one look takes in.
    await query(
      `insert into task_run (id, scheduled_for, organization_id, origin, state, meter_device_id, meter_execution_type,
         task_call, task_kwargs, not_before, deadline)
       select gen_random_uuid(), scheduled_for, organization_id, origin, state, meter_device_id, meter_execution_type,
         task_call, task_kwargs, not_before, deadline
       from task_run, generate_series(1, 500)`,
    );
    expect(await claim()).toHaveLength(2);
  });

  describe('an interface that is not reached', () => {
    it('holds scheduled sessions back, and not one that somebody asks for', async () => {
      const { pool } = test.database;
      await meters(1, null);
      const [meter] = await query('select id, network_interface_id from meter_device');
      await query(
        `insert into interface_breaker (network_interface_id, failures, error_message, open_until) values ($1, 5, 'no route', now() + interval '1 hour')`,
        [meter!['network_interface_id']],
      );
      expect(await claim()).toEqual([]);
      await insertDueRun(pool, meter!['id'] as string, { origin: 'on_demand' });
      expect(await claim('amr.on_demand')).toHaveLength(1);
    });

    it('is held no longer because what somebody asks for fails meanwhile', async () => {
      const { pool } = test.database;
      const line = await insertInterface(pool, 'dead');
      const client = await pool.connect();
      const fail = async () => {
        await recordUnreachable(client, line, 'no route');
        return (await query('select failures, open_until from interface_breaker'))[0];
      };
      try {
        for (let failures = 1; failures <= 4; failures++) await fail();
        const opened = await fail();
        expect(opened).toMatchObject({ failures: 5, open_until: expect.any(Date) as Date });
        expect(await fail()).toEqual(opened);
        await query(`update interface_breaker set open_until = now() - interval '1 second'`);
        expect(await fail()).toMatchObject({ failures: 6 });
      } finally {
        client.release();
      }
    });

    it('is probed by one session when the hold is over', async () => {
      const { pool } = test.database;
      const gateway = await insertInterface(pool, 'gateway');
      for (const name of ['a', 'b'])
        await insertDueRun(pool, await insertMeter(pool, name, { network_interface_id: gateway }));
      await query(
        `insert into interface_breaker (network_interface_id, failures, error_message, open_until) values ($1, 5, 'no route', now() - interval '1 second')`,
        [gateway],
      );
      expect(await claim()).toHaveLength(1);
      expect(await claim()).toEqual([]);
    });
  });

  it('a meter that refused its credentials is not called, whoever asks', async () => {
    await meters(1, null);
    await query('update meter_device set credentials_rejected_at = now()');
    expect(await claim()).toEqual([]);
  });

  it('a meter that was retired is not called, though a run of it waits', async () => {
    await meters(1, null);
    await query(`update meter_device set life_cycle = 'retired'`);
    expect(await claim()).toEqual([]);
  });

  describe('a session that no poller takes, as none runs,', () => {
    const leaseEnds = () => query(`update poll_session set lease_until = now() - interval '1 second'`);
    const runs = () => query('select state, attempts, lost_tries, error_code from task_run');

    it('is no try of its run', async () => {
      await meters(1, null);
      await claim();
      await leaseEnds();
      expect(await endLeases(test.database.pool, broker)).toBe(1);
      expect(await runs()).toEqual([{ state: 'pending', attempts: 0, lost_tries: 0, error_code: 'NO_WORKER' }]);
    });

    it('lets its run expire when the time is over, and says why', async () => {
      await meters(1, null);
      await claim();
      await leaseEnds();
      await query(`update task_run set deadline = now() - interval '1 second'`);
      await endLeases(test.database.pool, broker);
      expect(await runs()).toMatchObject([{ state: 'expired', error_code: 'NO_WORKER' }]);
    });
  });

  describe('a run that expires says why:', () => {
    const overdue = `update task_run set not_before = now() - interval '2 seconds', deadline = now() - interval '1 second' where state = 'pending'`;
    const poller = () =>
      query(
        `insert into worker (id, kind, host, pid, version, queues, max_sessions, open_sessions)
         values (gen_random_uuid(), 'poller', 'h', 1, '0', '{amr.scheduled}', 1, 0)`,
      );
    const reasons = () => query(`select error_code from task_run where state = 'expired'`);

    it('the segment was full', async () => {
      await poller();
      await meters(2, await insertSegment(test.database.pool, 'cell', { max_open_sessions: 1 }));
      await claim();
      await query(overdue);
      expect(await expireRuns(test.database.pool, broker)).toBe(1);
      expect(await reasons()).toEqual([{ error_code: 'SEGMENT_FULL' }]);
    });

    it('the interface was busy', async () => {
      const { pool } = test.database;
      await poller();
      const gateway = await insertInterface(pool, 'gateway');
      for (const name of ['a', 'b'])
        await insertDueRun(pool, await insertMeter(pool, name, { network_interface_id: gateway }));
      await claim();
      await query(overdue);
      expect(await expireRuns(pool, broker)).toBe(1);
      expect(await reasons()).toEqual([{ error_code: 'INTERFACE_BUSY' }]);
    });

    it('the segment let no more begin in a second', async () => {
      await poller();
      await meters(2, await insertSegment(test.database.pool, 'cell', { max_new_sessions_per_second: 1 }));
      await close(await claim());
      await query(overdue);
      await expireRuns(test.database.pool, broker);
      expect(await reasons()).toEqual([{ error_code: 'SEGMENT_FULL' }]);
    });

    it('the meter was retired, or lost its interface', async () => {
      await poller();
      await meters(2, null);
      await query(`update meter_device set life_cycle = 'retired' where name = 'm 0'`);
      await query(`update meter_device set network_interface_id = null where name = 'm 1'`);
      await query(overdue);
      await expireRuns(test.database.pool, broker);
      expect(await query('select error_code, error_message from task_run order by 1')).toEqual([
        { error_code: 'EXPIRED', error_message: 'the meter was retired before the run began' },
        { error_code: 'NO_INTERFACE', error_message: expect.stringContaining('give it one') as string },
      ]);
    });

    it('the interface was held back', async () => {
      await poller();
      await meters(1, null);
      await query(
        `insert into interface_breaker (network_interface_id, failures, error_message, open_until)
         select id, 5, 'no route', now() + interval '1 hour' from network_interface`,
      );
      await query(overdue);
      await expireRuns(test.database.pool, broker);
      expect(await query('select error_code, error_message from task_run')).toEqual([
        { error_code: 'CIRCUIT_OPEN', error_message: expect.stringContaining('no route') as string },
      ]);
    });

    it('no poller takes its queue, or it has fallen silent', async () => {
      await poller();
      await query(`update worker set last_seen_at = now() - interval '1 minute'`);
      await meters(1, null);
      await query(overdue);
      await expireRuns(test.database.pool, broker);
      expect(await reasons()).toEqual([{ error_code: 'NO_WORKER' }]);
    });
  });

  it('closed sessions free their interface and segment at once', async () => {
    const segment = await insertSegment(test.database.pool, 'cell', { max_open_sessions: 2 });
    await meters(4, segment);
    const first = await claim();
    expect(first).toHaveLength(2);
    await close(first);
    expect(await claim()).toHaveLength(2);
  });
});
