import type pg from 'pg';
import { Counter } from 'prom-client';
import type { Config } from '../config.js';
import { planByIndex } from '../db/plans.js';
import { LEASE_MARGIN_MS } from '../domain/lease-margin.js';
import { printable, printableJson } from '../domain/text.js';
import { instantOfUuid } from '../domain/uuid.js';
import { rejectsCredentials } from '../errors.js';
import type { ResultMessage } from '../messaging/contracts.js';
import { metrics } from '../telemetry.js';
import { failRunsOfRejectedMeters } from './credentials-rejection.js';
import { recordReached, recordUnreachable } from './interface-breaker.js';
import { bookPublished } from './published-booking.js';
import { FAILED_TRY_COLUMNS, settleFailedTries, type OpenRunRow } from './run-outcomes.js';
import { recordHeartbeat } from './worker-registry.js';

const finishedRuns = new Counter({
  name: 'amr_run_tries_total',
  help: 'Tries of task runs that a poller reported, by outcome (ok or the error code).',
  labelNames: ['outcome'],
  registers: [metrics],
});

export interface ChangedRun {
  id: string;
  organization_id: string;
}

type Message<T extends ResultMessage['type']> = Extract<ResultMessage, { type: T }>;

/**
 * Books messages in one transaction, kind by kind: a session begins, its runs end, it ends. That is the order in which
 * one session reports, and different sessions do not touch each other's runs.
 * @returns the runs whose row changed
 */
export async function bookResults(
  client: pg.ClientBase,
  messages: readonly ResultMessage[],
  timings: Pick<Config, 'sessionCapMs'>,
): Promise<ChangedRun[]> {
  await planByIndex(client);
  const of = <T extends ResultMessage['type']>(type: T) =>
    messages.filter((message): message is Message<T> => message.type === type);
  const started = await sessionsStarted(client, of('session_started'), timings);
  const finished = await runsFinished(client, of('run_finished'));
  await sessionsFinished(client, of('session_finished'));
  for (const heartbeat of of('heartbeat')) await recordHeartbeat(client, heartbeat);
  await bookPublished(client, of('published'));
  return [...started, ...finished];
}

async function sessionsStarted(
  client: pg.ClientBase,
  messages: readonly Message<'session_started'>[],
  { sessionCapMs }: Pick<Config, 'sessionCapMs'>,
): Promise<ChangedRun[]> {
  if (messages.length === 0) return [];
  const sessions = messages.map((message) => message.session);
  await client.query(
    `update poll_session set state = 'running', started_at = now(), lease_until = now() + $2 * interval '1 millisecond'
     where id = any($1::uuid[]) and state = 'dispatched' and closed_at is null`,
    [sessions, sessionCapMs + LEASE_MARGIN_MS],
  );
  const { rows } = await client.query<ChangedRun>(
    `update task_run set state = 'running', started_at = now()
     where poll_session_id = any($1::uuid[]) and state = 'dispatched' returning id, organization_id`,
    [sessions],
  );
  return rows;
}

async function runsFinished(
  client: pg.ClientBase,
  messages: readonly Message<'run_finished'>[],
): Promise<ChangedRun[]> {
  if (messages.length === 0) return [];
  const byRun = new Map(messages.map((message) => [`${message.session} ${message.run}`, message]));
  // In one order everywhere, so that two schedulers that book the same runs wait for each other and do not lock up.
  const reports = [...byRun.values()].sort((one, other) => (one.run < other.run ? -1 : 1));
  // Pending too: the lease ended, but the run has not been sent again, so this session's word is still the newest.
  const { rows } = await client.query<OpenRunRow & { session: string }>(
    `select run.*
     from unnest($1::uuid[], $2::timestamptz[], $3::uuid[]) told (id, scheduled_for, session)
     cross join lateral (
       select ${FAILED_TRY_COLUMNS}, r.poll_session_id as session from task_run r
       where r.id = told.id and r.scheduled_for = told.scheduled_for and r.poll_session_id = told.session
         and r.state in ('pending', 'dispatched', 'running')
       for update
     ) run`,
    [
      reports.map((report) => report.run),
      reports.map((report) => new Date(instantOfUuid(report.run) ?? 0)),
      reports.map((report) => report.session),
    ],
  );
  const ended = rows.map((run) => ({ run, report: byRun.get(`${run.session} ${run.id}`)! }));
  for (const { report } of ended) {
    finishedRuns.inc({ outcome: report.ok ? 'ok' : (report.error?.code ?? 'INTERNAL') });
  }
  await runsSucceeded(
    client,
    ended.filter(({ report }) => report.ok),
  );
  const failed = ended.filter(({ report }) => !report.ok);
  await settleFailedTries(
    client,
    failed.map(({ run, report }) => ({
      run,
      code: report.error?.code ?? 'INTERNAL',
      message: describe(report.error),
      readingCount: report.reading_count,
      resume: report.resume && printableJson(report.resume),
    })),
  );
  const held = await failRunsOfRejectedMeters(
    client,
    failed.map(({ run, report: { error } }) => ({
      meter: run.meter_device_id,
      rejects: error !== undefined && rejectsCredentials(error.code, error.phase),
    })),
  );
  return [...rows, ...held];
}

async function runsSucceeded(
  client: pg.ClientBase,
  ended: readonly { run: OpenRunRow; report: Message<'run_finished'> }[],
): Promise<void> {
  if (ended.length === 0) return;
  await client.query(
    `update task_run r set state = 'succeeded', started_at = coalesce(r.started_at, now()), finished_at = now(),
       reading_count = r.reading_count + told.reading_count, result = told.result, resume = null, error_code = null, error_message = null
     from unnest($1::uuid[], $2::timestamptz[], $3::int[], $4::jsonb[]) told (id, scheduled_for, reading_count, result)
     where r.id = told.id and r.scheduled_for = told.scheduled_for`,
    [
      ended.map(({ run }) => run.id),
      ended.map(({ run }) => run.scheduled_for),
      ended.map(({ report }) => report.reading_count),
      ended.map(({ report }) => (report.result === undefined ? null : JSON.stringify(printableJson(report.result)))),
    ],
  );
  await client.query(
    `update meter_device set life_cycle = 'active' where life_cycle in ('new', 'lost') and id = any($1::uuid[])`,
    [ended.map(({ run }) => run.meter_device_id)],
  );
}

async function sessionsFinished(
  client: pg.ClientBase,
  messages: readonly Message<'session_finished'>[],
): Promise<void> {
  if (messages.length === 0) return;
  const lost = messages.filter((message) => message.outcome === 'lost');
  // The first poller may still be at the meter: the interface is free when the lease ends, not before.
  if (lost.length > 0) {
    await client.query(
      `update poll_session s set state = 'lost', poller = told.poller
       from unnest($1::uuid[], $2::text[]) told (id, poller) where s.id = told.id and s.closed_at is null`,
      [lost.map((message) => message.session), lost.map((message) => message.poller)],
    );
  }
  const done = new Map(messages.filter((m) => m.outcome === 'done').map((message) => [message.session, message]));
  if (done.size === 0) return;
  const { rows } = await client.query<{ id: string; network_interface_id: string; meter_device_id: string }>(
    `update poll_session s set state = 'closed', closed_at = now(), poller = told.poller
     from unnest($1::uuid[], $2::text[]) told (id, poller)
     where s.id = told.id and s.closed_at is null
     returning s.id, s.network_interface_id, s.meter_device_id`,
    [[...done.keys()], [...done.values()].map((message) => message.poller)],
  );
  const closed = rows.map((session) => ({ ...session, report: done.get(session.id)! }));
  await clocksMeasured(client, closed);
  await recordReached(
    client,
    closed.filter(({ report }) => report.reached === true).map((session) => session.network_interface_id),
  );
  for (const { network_interface_id: id, report } of closed) {
    if (report.reached === false)
      await recordUnreachable(client, id, printable(report.unreachable_reason ?? 'not reached'));
  }
  await client.query(`select pg_notify('amr_dispatch', '')`);
}

async function clocksMeasured(
  client: pg.ClientBase,
  closed: readonly { meter_device_id: string; report: Message<'session_finished'> }[],
): Promise<void> {
  const measured = closed.filter(({ report }) => report.clock_deviation_seconds !== undefined);
  if (measured.length === 0) return;
  await client.query(
    `update meter_device m set clock_deviation_seconds = told.deviation
     from unnest($1::uuid[], $2::float8[]) told (id, deviation) where m.id = told.id`,
    [measured.map((session) => session.meter_device_id), measured.map(({ report }) => report.clock_deviation_seconds)],
  );
}

/** For the operator's eyes. A meter's own words may be part of it. */
function describe(error: Message<'run_finished'>['error']): string {
  if (!error) return 'the poller gave no reason';
  return printable(error.phase ? `${error.phase}: ${error.message}` : error.message);
}
