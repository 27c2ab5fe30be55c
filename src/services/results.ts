import type pg from 'pg';
import { Counter } from 'prom-client';
import type { Config } from '../config.js';
import { inTransaction } from '../db/database.js';
import { isTransient } from '../db/errors.js';
import type { RunOrigin } from '../domain/enums.js';
import { printable, printableJson } from '../domain/text.js';
import { instantOfUuid } from '../domain/uuid.js';
import { messageOf } from '../errors.js';
import { ACK, type Broker, type Delivery, type Disposition } from '../messaging/broker.js';
import { decode, ResultMessage } from '../messaging/contracts.js';
import { backoff, pause } from '../retry.js';
import { metrics, type Logger } from '../telemetry.js';
import { LEASE_MARGIN_MS } from './claim.js';
import { announceRuns } from './run-events.js';
import { settleFailedTry } from './run-outcomes.js';

const finishedRuns = new Counter({
  name: 'amr_run_tries_total',
  help: 'Tries of task runs that a poller reported, by outcome (ok or the error code).',
  labelNames: ['outcome'],
  registers: [metrics],
});

interface ChangedRun {
  id: string;
  organization_id: string;
}

/**
 * Books what pollers report on `amr.results`. A message may come twice and in any order: each names its session, and a
 * run only takes the word of the session that carries it, so an older attempt changes nothing.
 */
export function createResultsHandler(
  pool: pg.Pool,
  broker: Broker,
  timings: Pick<Config, 'sessionCapMs'>,
  log: Logger,
  signal: AbortSignal,
) {
  return async (delivery: Delivery): Promise<Disposition> => {
    const decoded = decode(ResultMessage, delivery.body);
    if (!decoded.ok) return { kind: 'dead-letter', reason: decoded.reason };
    for (const delay of backoff(200, 10_000)) {
      try {
        const changed = await inTransaction(pool, (client) => book(client, decoded.message, timings));
        await announceRuns(broker, changed);
        return ACK;
      } catch (error) {
        if (!isTransient(error)) return { kind: 'dead-letter', reason: messageOf(error) };
        if (signal.aborted) return { kind: 'requeue' };
        log.warn({ err: messageOf(error) }, 'a result waits for the database');
        await pause(delay, signal);
      }
    }
    return ACK;
  };
}

async function book(
  client: pg.PoolClient,
  message: ResultMessage,
  timings: Pick<Config, 'sessionCapMs'>,
): Promise<ChangedRun[]> {
  switch (message.type) {
    case 'session_started':
      return sessionStarted(client, message.session, timings);
    case 'run_finished':
      return runFinished(client, message);
    case 'session_finished':
      return sessionFinished(client, message);
  }
}

async function sessionStarted(
  client: pg.PoolClient,
  session: string,
  { sessionCapMs }: Pick<Config, 'sessionCapMs'>,
): Promise<ChangedRun[]> {
  await client.query(
    `update poll_session set state = 'running', started_at = now(), lease_until = now() + $2 * interval '1 millisecond'
     where id = $1 and state = 'dispatched' and closed_at is null`,
    [session, sessionCapMs + LEASE_MARGIN_MS],
  );
  const { rows } = await client.query<ChangedRun>(
    `update task_run set state = 'running', started_at = now()
     where poll_session_id = $1 and state = 'dispatched' returning id, organization_id`,
    [session],
  );
  return rows;
}

async function runFinished(
  client: pg.PoolClient,
  message: Extract<ResultMessage, { type: 'run_finished' }>,
): Promise<ChangedRun[]> {
  const scheduledFor = new Date(instantOfUuid(message.run) ?? 0);
  // Pending too: the lease ended, but the run has not been sent again, so this session's word is still the newest.
  const { rows } = await client.query<
    ChangedRun & { origin: RunOrigin; attempts: number; lost_tries: number; ms_to_deadline: number }
  >(
    `select id, organization_id, origin, attempts, lost_tries, (extract(epoch from deadline - now()) * 1000)::float8 as ms_to_deadline
     from task_run
     where id = $1 and scheduled_for = $2 and poll_session_id = $3 and state in ('pending', 'dispatched', 'running')
     for update`,
    [message.run, scheduledFor, message.session],
  );
  const run = rows[0];
  if (!run) return [];
  finishedRuns.inc({ outcome: message.ok ? 'ok' : (message.error?.code ?? 'INTERNAL') });
  if (message.ok) {
    await client.query(
      `update task_run set state = 'succeeded', started_at = coalesce(started_at, now()), finished_at = now(),
         reading_count = reading_count + $3, result = $4, error_code = null, error_message = null
       where id = $1 and scheduled_for = $2`,
      [
        message.run,
        scheduledFor,
        message.reading_count,
        message.result === undefined ? null : printableJson(message.result),
      ],
    );
    await client.query(
      `update meter_device set life_cycle = 'active' where life_cycle in ('new', 'lost')
         and id = (select meter_device_id from task_run where id = $1 and scheduled_for = $2)`,
      [message.run, scheduledFor],
    );
  } else {
    await settleFailedTry(client, {
      id: run.id,
      scheduledFor,
      origin: run.origin,
      attempts: run.attempts,
      lostTries: run.lost_tries,
      msToDeadline: run.ms_to_deadline,
      code: message.error?.code ?? 'INTERNAL',
      message: describe(message.error),
      readingCount: message.reading_count,
    });
  }
  return [run];
}

async function sessionFinished(
  client: pg.PoolClient,
  message: Extract<ResultMessage, { type: 'session_finished' }>,
): Promise<ChangedRun[]> {
  if (message.outcome === 'lost') {
    // The first poller may still be at the meter: the interface is free when the lease ends, not before.
    await client.query(`update poll_session set state = 'lost' where id = $1 and closed_at is null`, [message.session]);
    return [];
  }
  const { rows } = await client.query<{ meter_device_id: string }>(
    `update poll_session set state = 'closed', closed_at = now(), poller = $2
     where id = $1 and closed_at is null returning meter_device_id`,
    [message.session, message.poller],
  );
  if (rows[0] && message.clock_deviation_seconds !== undefined) {
    await client.query('update meter_device set clock_deviation_seconds = $2 where id = $1', [
      rows[0].meter_device_id,
      message.clock_deviation_seconds,
    ]);
  }
  await client.query(`select pg_notify('amr_dispatch', '')`);
  return [];
}

/** For the operator's eyes. A meter's own words may be part of it. */
function describe(error: Extract<ResultMessage, { type: 'run_finished' }>['error']): string {
  if (!error) return 'the poller gave no reason';
  return printable(error.phase ? `${error.phase}: ${error.message}` : error.message);
}
