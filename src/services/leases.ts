import type pg from 'pg';
import { executionContexts } from '../execution/contexts.js';
import { inTransaction } from '../db/database.js';
import type { RunOrigin } from '../domain/enums.js';
import type { Broker } from '../messaging/broker.js';
import { announceRuns } from './run-events.js';
import { settleFailedTry } from './run-outcomes.js';

const BATCH = 500;

interface OpenRun {
  id: string;
  organization_id: string;
  scheduled_for: Date;
  origin: RunOrigin;
  attempts: number;
  lost_tries: number;
  ms_to_deadline: number;
  meter_execution_type: string;
  task_call: string;
  began: boolean;
}

/**
 * Closes sessions whose lease has ended and sends their runs again, or fails them. Also takes up runs whose session
 * was closed without their outcome, as when that message was given up on.
 * @returns how many runs were settled
 */
export async function endLeases(pool: pg.Pool, broker: Broker): Promise<number> {
  const runs = await inTransaction(pool, async (client) => {
    await client.query(
      `update poll_session set state = 'closed', closed_at = now()
       where id in (select id from poll_session where closed_at is null and lease_until < now() order by lease_until limit $1 for update skip locked)`,
      [BATCH],
    );
    const { rows } = await client.query<OpenRun>(
      `select r.id, r.organization_id, r.scheduled_for, r.origin, r.attempts, r.lost_tries, r.meter_execution_type, r.task_call,
         (extract(epoch from r.deadline - now()) * 1000)::float8 as ms_to_deadline, s.started_at is not null as began
       from task_run r join poll_session s on s.id = r.poll_session_id
       where r.state in ('dispatched', 'running') and s.closed_at is not null
         and (s.lease_until < now() or s.closed_at < now() - interval '1 minute')
       order by r.id limit $1 for update of r skip locked`,
      [BATCH],
    );
    for (const run of rows) {
      await settleFailedTry(client, {
        id: run.id,
        scheduledFor: run.scheduled_for,
        origin: run.origin,
        attempts: run.attempts,
        lostTries: run.lost_tries,
        msToDeadline: run.ms_to_deadline,
        code: 'LOST',
        message: run.began
          ? 'the poller began the session and was not heard of again'
          : 'no poller began the session in time; check that a poller runs and takes this queue',
        readingCount: 0,
        mustNotRepeat: run.began && !isRepeatable(run),
      });
    }
    if (rows.length > 0) await client.query(`select pg_notify('amr_dispatch', '')`);
    return rows;
  });
  await announceRuns(broker, runs);
  return runs.length;
}

/** Ends the lease of every open session, for a start at which no poller can hold one. */
export async function endAllLeases(pool: pg.Pool): Promise<void> {
  // Well before now: the column rounds to milliseconds, and may round up.
  await pool.query(`update poll_session set lease_until = now() - interval '1 second' where closed_at is null`);
}

/** Gives up runs that were not begun before their deadline, and says why. */
export async function expireRuns(pool: pg.Pool, broker: Broker): Promise<number> {
  const { rows } = await pool.query<{ id: string; organization_id: string }>(
    `update task_run r set state = 'expired', finished_at = now(), error_code = coalesce(error_code, 'EXPIRED'),
       error_message = case
         when r.attempts > 0 then 'the deadline passed after ' || r.attempts || ' tries; the last one said: ' || coalesce(r.error_message, 'nothing')
         when d.busy then 'the deadline passed while the network interface was busy with other meters'
         else 'the deadline passed before a session could begin; check that scheduler and poller run, and the segment''s limits'
       end
     from (
       select p.id, p.scheduled_for, exists (
         select from meter_device m join poll_session s on s.network_interface_id = m.network_interface_id and s.closed_at is null
         where m.id = p.meter_device_id) as busy
       from task_run p where p.state = 'pending' and p.not_before < now() and p.deadline <= now() limit $1
     ) d
     where r.id = d.id and r.scheduled_for = d.scheduled_for and r.state = 'pending'
     returning r.id, r.organization_id`,
    [BATCH],
  );
  await announceRuns(broker, rows);
  return rows.length;
}

/** Reads may always be repeated; a write only where its call declares it. A call unknown here may be either. */
function isRepeatable(run: OpenRun): boolean {
  const call = executionContexts.get(run.meter_execution_type)?.calls.get(run.task_call);
  return call !== undefined && (!call.writesToMeter || call.idempotent);
}
