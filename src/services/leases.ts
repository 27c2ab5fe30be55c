import type pg from 'pg';
import { executionContexts } from '../execution/contexts.js';
import { inTransaction } from '../db/database.js';
import { planByIndex } from '../db/plans.js';
import type { Broker } from '../messaging/broker.js';
import type { MeterErrorCode } from '../errors.js';
import { announceRuns } from './run-events.js';
import { FAILED_TRY_COLUMNS, settleFailedTries, type OpenRunRow } from './run-outcomes.js';
import { queuesTaken } from './worker-registry.js';

const BATCH = 500;

interface CarriedRun extends OpenRunRow {
  meter_execution_type: string;
  task_call: string;
  began: boolean;
  queue: string;
  /** A poller was given it. */
  told: boolean;
}

/**
 * Closes sessions whose lease has ended and sends their runs again, or fails them. Also takes up runs whose session
 * was closed without their outcome, as when that message was given up on.
 * @returns how many runs were settled
 */
export async function endLeases(pool: pg.Pool, broker: Broker): Promise<number> {
  const runs = await inTransaction(pool, async (client) => {
    const taken = await queuesTaken(client);
    await planByIndex(client);
    await client.query(
      `update poll_session set state = 'closed', closed_at = now()
       where id in (select id from poll_session where closed_at is null and lease_until < now() order by lease_until limit $1 for update skip locked)`,
      [BATCH],
    );
    const { rows } = await client.query<CarriedRun>(
      `select ${FAILED_TRY_COLUMNS}, r.meter_execution_type, r.task_call, s.started_at is not null as began, s.queue,
         s.poller is not null as told
       from task_run r join poll_session s on s.id = r.poll_session_id
       where r.state in ('dispatched', 'running') and s.closed_at is not null
         and (s.lease_until < now() or s.closed_at < now() - interval '1 minute')
       order by r.id limit $1 for update of r skip locked`,
      [BATCH],
    );
    await settleFailedTries(
      client,
      rows.map((run) => ({
        run,
        ...reasonOf(run, taken.has(run.queue)),
        readingCount: 0,
        vanished: true,
        mustNotRepeat: run.began && !isRepeatable(run),
      })),
    );
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

/** Reads may always be repeated; a write only where its call declares it. A call unknown here may be either. */
function isRepeatable(run: CarriedRun): boolean {
  const call = executionContexts.get(run.meter_execution_type)?.calls.get(run.task_call);
  return call !== undefined && (!call.writesToMeter || call.idempotent);
}

/** A session that nobody took because no poller runs was no try of its runs. */
function reasonOf({ began, told }: CarriedRun, hasWorker: boolean): { code: MeterErrorCode; message: string } {
  if (began) return { code: 'LOST', message: 'the poller began the session and was not heard of again' };
  if (!told && !hasWorker) return { code: 'NO_WORKER', message: 'no poller runs that takes this queue; start one' };
  return { code: 'LOST', message: 'no poller began the session in time; check that pollers are not busy for longer' };
}
