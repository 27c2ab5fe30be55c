import type pg from 'pg';
import { Counter } from 'prom-client';
import type { Config } from '../config.js';
import { inTransaction } from '../db/database.js';
import type { Leadership } from '../db/leader.js';
import { ReadingOrigin, NetworkInterfaceKind } from '../domain/enums.js';
import { uuidAt } from '../domain/uuid.js';
import { messageOf } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { encode, type Connection, type PollSessionMessage } from '../messaging/contracts.js';
import { pause } from '../retry.js';
import { metrics, type Logger } from '../telemetry.js';
import { announceRuns } from './run-events.js';

/** Sessions handed to the broker that no poller has begun, at most: beyond it the broker's order would override priorities. */
const MAX_WAITING_SESSIONS = 2_000;
const CLAIM_BATCH = 500;
/** Runs of one meter in one session; the rest go with the next. */
const MAX_CALLS = 50;
/** Longest sleep: a missed notification or a run that falls due costs at most this. */
const IDLE_MS = 1_000;
/** Added to a lease for clocks and messages under way. */
export const LEASE_MARGIN_MS = 15_000;

const dispatched = new Counter({
  name: 'amr_sessions_dispatched_total',
  help: 'Poll sessions published, by queue.',
  labelNames: ['queue'],
  registers: [metrics],
});

interface ClaimedCall {
  session_id: string;
  organization_id: string;
  queue: 'amr.scheduled' | 'amr.on_demand';
  attempt: number;
  run_id: string;
  meter_execution_type: string;
  task_call: string;
  task_kwargs: PollSessionMessage['calls'][number]['task_kwargs'];
  meter_id: string;
  meter_name: string;
  serial_number: string | null;
  protocol_address: string | null;
  manufacturer: string | null;
  model: string | null;
  time_zone: string;
  credentials: Buffer | null;
  kind: NetworkInterfaceKind;
  host: string | null;
  port: number | null;
  serial_path: string | null;
  baud_rate: number | null;
}

type Timings = Pick<Config, 'startByMs' | 'sessionCapMs'>;

/** Claims due work and publishes it, for as long as this process leads. Woken by NOTIFY `amr_dispatch`. */
export async function dispatchWhileLeading(
  pool: pg.Pool,
  broker: Broker,
  timings: Timings,
  log: Logger,
  { client, signal }: Leadership,
): Promise<void> {
  let wake = new AbortController();
  client.on('notification', () => wake.abort());
  await client.query('listen amr_dispatch');
  while (!signal.aborted) {
    let full = false;
    // Without a broker a claim could only be undone again.
    if (broker.connected) {
      const sessions = await claimSessions(pool, timings);
      full = sessions.length === CLAIM_BATCH;
      await publishSessions(broker, timings, sessions, log);
    }
    if (!full) await pause(IDLE_MS, signal, wake.signal);
    if (wake.signal.aborted) wake = new AbortController();
  }
}

/**
 * Claims idle interfaces that have due runs and, where they belong to a segment, a permit of it; never single runs, as
 * two claims over runs can meet on one interface. The due runs of the chosen meter become one session.
 */
export async function claimSessions(pool: pg.Pool, timings: Timings): Promise<PollSessionMessage[]> {
  const { calls } = await inTransaction(pool, async (client) => {
    const { rows: picks } = await client.query<{
      meter_id: string;
      interface_id: string;
      organization_id: string;
      on_demand: boolean;
    }>(
      `with due as (
         select m.network_interface_id as interface_id, m.id as meter_id, m.organization_id,
           r.origin = 'on_demand' as on_demand, r.priority, r.not_before
         from task_run r
         join meter_device m on m.id = r.meter_device_id
         where r.state = 'pending' and r.not_before <= now() and r.deadline > now() and m.network_interface_id is not null
           and not exists (select from poll_session s where s.network_interface_id = m.network_interface_id and s.closed_at is null)
       ), best as (
         select distinct on (interface_id) * from due
         order by interface_id, on_demand desc, priority desc, not_before, meter_id
       ), ranked as (
         select best.*, i.segment_id,
           row_number() over (partition by i.segment_id order by on_demand desc, priority desc, not_before) as place
         from best join network_interface i on i.id = best.interface_id
       )
       select ranked.meter_id, ranked.interface_id, ranked.organization_id, ranked.on_demand from ranked
       left join segment g on g.id = ranked.segment_id
       left join lateral (
         select count(*) filter (where s.closed_at is null) as open,
           count(*) filter (where s.created_at > now() - interval '1 second') as recent
         from network_interface i2 join poll_session s on s.network_interface_id = i2.id
         where i2.segment_id = g.id and (s.closed_at is null or s.created_at > now() - interval '1 second')
       ) used on g.id is not null
       where g.id is null
         or place <= least(coalesce(g.max_open_sessions - used.open, 2147483647), coalesce(g.max_new_sessions_per_second - used.recent, 2147483647))
       order by ranked.on_demand desc, ranked.priority desc, ranked.not_before
       limit least($1::bigint, greatest(0, $2::bigint - (select count(*) from poll_session where closed_at is null and state = 'dispatched')))`,
      [CLAIM_BATCH, MAX_WAITING_SESSIONS],
    );
    if (picks.length === 0) return { calls: [] };
    const { rows } = await client.query<ClaimedCall>(
      `with pick as (
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::boolean[])
           as p (session_id, meter_id, interface_id, organization_id, on_demand)
       ), chosen as (
         select r.id, r.scheduled_for, r.attempts, p.session_id
         from pick p
         cross join lateral (
           select id, scheduled_for, attempts from task_run
           where meter_device_id = p.meter_id and state = 'pending' and not_before <= now() and deadline > now()
             and (origin = 'on_demand') = p.on_demand
           order by priority desc, not_before, id
           limit $6
           for update skip locked
         ) r
       ), opened as (
         insert into poll_session (id, organization_id, network_interface_id, meter_device_id, queue, attempt, state, lease_until)
         select p.session_id, p.organization_id, p.interface_id, p.meter_id,
           case when p.on_demand then 'amr.on_demand' else 'amr.scheduled' end,
           c.attempt, 'dispatched', now() + $7 * interval '1 millisecond'
         from pick p
         join (select session_id, max(attempts) + 1 as attempt from chosen group by session_id) c using (session_id)
         on conflict do nothing
         returning id, organization_id, queue, attempt, meter_device_id
       ), claimed as (
         update task_run r set state = 'dispatched', poll_session_id = c.session_id, attempts = r.attempts + 1
         from chosen c join opened o on o.id = c.session_id
         where r.id = c.id and r.scheduled_for = c.scheduled_for
         returning r.id, r.poll_session_id, r.meter_execution_type, r.task_call, r.task_kwargs, r.priority, r.not_before
       )
       select s.id as session_id, s.organization_id, s.queue, s.attempt, c.id as run_id, c.meter_execution_type, c.task_call,
         c.task_kwargs, m.id as meter_id, m.name as meter_name, m.serial_number, m.protocol_address, m.manufacturer, m.model,
         m.time_zone, m.credentials, i.kind, i.host, i.port, i.serial_path, i.baud_rate
       from opened s
       join claimed c on c.poll_session_id = s.id
       join meter_device m on m.id = s.meter_device_id
       join network_interface i on i.id = m.network_interface_id
       order by s.id, c.priority desc, c.not_before, c.id`,
      [
        picks.map(() => uuidAt()),
        picks.map((pick) => pick.meter_id),
        picks.map((pick) => pick.interface_id),
        picks.map((pick) => pick.organization_id),
        picks.map((pick) => pick.on_demand),
        MAX_CALLS,
        timings.startByMs + timings.sessionCapMs + LEASE_MARGIN_MS,
      ],
    );
    return { calls: rows };
  });
  return groupBySession(calls).map((session) => toMessage(session, timings));
}

async function publishSessions(
  broker: Broker,
  timings: Timings,
  sessions: readonly PollSessionMessage[],
  log: Logger,
): Promise<void> {
  await announceRuns(
    broker,
    sessions.flatMap((session) => session.calls.map(({ run }) => ({ id: run, organization_id: session.organization }))),
  );
  await Promise.all(
    sessions.map(async (session) => {
      const queue = queueOf(session);
      try {
        await broker.publish(queue, encode(session), {
          messageId: session.session,
          expiresAfterMs: timings.startByMs,
          // Twice would be two sessions on one meter; a lost one is sent again when its lease ends.
          once: true,
        });
        dispatched.inc({ queue });
      } catch (error) {
        // The message may have arrived all the same, so the interface stays reserved until the lease ends.
        log.warn({ session: session.session, err: messageOf(error) }, 'a session was not confirmed by the broker');
      }
    }),
  );
}

function queueOf(session: PollSessionMessage): 'amr.on_demand' | 'amr.scheduled' {
  return session.origin === ReadingOrigin.ON_DEMAND ? 'amr.on_demand' : 'amr.scheduled';
}

function groupBySession(calls: readonly ClaimedCall[]): ClaimedCall[][] {
  const sessions = new Map<string, ClaimedCall[]>();
  for (const call of calls) {
    const session = sessions.get(call.session_id);
    if (session) session.push(call);
    else sessions.set(call.session_id, [call]);
  }
  return [...sessions.values()];
}

function toMessage(calls: readonly ClaimedCall[], timings: Timings): PollSessionMessage {
  const first = calls[0]!;
  return {
    version: 1,
    session: first.session_id,
    attempt: first.attempt,
    organization: first.organization_id,
    origin: first.queue === 'amr.on_demand' ? ReadingOrigin.ON_DEMAND : ReadingOrigin.SCHEDULED,
    meter: {
      id: first.meter_id,
      name: first.meter_name,
      serial_number: first.serial_number ?? undefined,
      protocol_address: first.protocol_address ?? undefined,
      manufacturer: first.manufacturer ?? undefined,
      model: first.model ?? undefined,
      time_zone: first.time_zone,
    },
    connection: connectionOf(first),
    sealed_credentials: first.credentials?.toString('base64'),
    calls: calls.map((call) => ({
      run: call.run_id,
      meter_execution_type: call.meter_execution_type,
      task_call: call.task_call,
      task_kwargs: call.task_kwargs,
    })),
    start_by_ms: timings.startByMs,
    session_cap_ms: timings.sessionCapMs,
  };
}

function connectionOf(call: ClaimedCall): Connection {
  return call.kind === NetworkInterfaceKind.TCP
    ? { kind: NetworkInterfaceKind.TCP, host: call.host ?? '', port: call.port ?? 0 }
    : { kind: NetworkInterfaceKind.SERIAL, path: call.serial_path ?? '', baud_rate: call.baud_rate ?? undefined };
}
