import type pg from 'pg';
import type { Config } from '../config.js';
import { inTransaction } from '../db/database.js';
import { NetworkInterfaceKind, ReadingOrigin } from '../domain/enums.js';
import { uuidAt } from '../domain/uuid.js';
import type { Connection, PollSessionMessage } from '../messaging/contracts.js';

/** Sessions claimed at once. */
export const CLAIM_BATCH = 1_000;
/** Sessions handed to the broker that no poller has begun, at most: beyond it the broker's order would override priorities. */
const MAX_WAITING_SESSIONS = 2_000;
/** Due runs looked at first, most urgent first; more when they belong to few interfaces. */
const FIRST_WINDOW = 1_500;
const LARGEST_WINDOW = 128_000;
/** Runs of one meter in one session; the rest go with the next. */
const MAX_CALLS = 50;
/** Added to a lease for clocks and messages under way. */
export const LEASE_MARGIN_MS = 15_000;

export type Timings = Pick<Config, 'startByMs' | 'sessionCapMs'>;

/** A meter whose due runs become a session. */
interface MeterPick {
  meter_id: string;
  interface_id: string;
  segment_id: string | null;
  organization_id: string;
  on_demand: boolean;
}

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

/**
 * Claims idle interfaces that have due runs and, where they belong to a segment, a permit of it; never single runs, as
 * two claims over runs can meet on one interface. The due runs of the chosen meter become one session.
 */
export async function claimSessions(pool: pg.Pool, timings: Timings): Promise<PollSessionMessage[]> {
  const { calls } = await inTransaction(pool, async (client) => {
    const picks = await pickMeters(client);
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

/** The most urgent meters on idle interfaces, one for each, within the permits of their segments. */
async function pickMeters(client: pg.ClientBase): Promise<MeterPick[]> {
  const { rows: waiting } = await client.query<{ n: number }>(
    `select count(*)::int as n from poll_session where closed_at is null and state = 'dispatched'`,
  );
  const room = Math.min(CLAIM_BATCH, MAX_WAITING_SESSIONS - waiting[0]!.n);
  if (room <= 0) return [];
  const permits = await segmentPermits(client);
  for (let window = FIRST_WINDOW; ; window *= 4) {
    const candidates = await dueMeters(client, window, permits);
    const picks = choose(candidates, permits, room);
    if (picks.length === room || candidates.length < window || window >= LARGEST_WINDOW) return picks;
  }
}

/** Sessions that each limited segment may open now. */
async function segmentPermits(client: pg.ClientBase): Promise<Map<string, number>> {
  const { rows } = await client.query<{ id: string; permits: number }>(
    `select g.id, least(g.max_open_sessions - used.open, g.max_new_sessions_per_second - used.recent)::int as permits
     from segment g
     cross join lateral (
       select count(*) filter (where s.closed_at is null) as open,
         count(*) filter (where s.created_at > now() - interval '1 second') as recent
       from network_interface i join poll_session s on s.network_interface_id = i.id
       where i.segment_id = g.id and (s.closed_at is null or s.created_at > now() - interval '1 second')
     ) used
     where g.max_open_sessions is not null or g.max_new_sessions_per_second is not null`,
  );
  return new Map(rows.map(({ id, permits }) => [id, Math.max(0, permits)]));
}

/** Meters of the first `window` due runs whose interface is idle and whose segment has a permit, most urgent first. */
async function dueMeters(
  client: pg.ClientBase,
  window: number,
  permits: ReadonlyMap<string, number>,
): Promise<MeterPick[]> {
  const full = [...permits].filter(([, left]) => left === 0).map(([id]) => id);
  const { rows } = await client.query<MeterPick>(
    `select m.id as meter_id, i.id as interface_id, i.segment_id, m.organization_id, r.origin = 'on_demand' as on_demand
     from task_run r
     join meter_device m on m.id = r.meter_device_id
     join network_interface i on i.id = m.network_interface_id
     where r.state = 'pending' and r.not_before <= now() and r.deadline > now()
       and (i.segment_id is null or i.segment_id <> all ($2::uuid[]))
       and not exists (select from poll_session s where s.network_interface_id = i.id and s.closed_at is null)
     order by (r.origin = 'on_demand') desc, r.priority desc, r.not_before
     limit $1`,
    [window, full],
  );
  return rows;
}

function choose(candidates: readonly MeterPick[], permits: ReadonlyMap<string, number>, room: number): MeterPick[] {
  const left = new Map(permits);
  const byInterface = new Map<string, MeterPick>();
  for (const candidate of candidates) {
    if (byInterface.size === room) break;
    const segmentLeft = candidate.segment_id === null ? undefined : left.get(candidate.segment_id);
    if (segmentLeft === 0 || byInterface.has(candidate.interface_id)) continue;
    byInterface.set(candidate.interface_id, candidate);
    if (segmentLeft !== undefined) left.set(candidate.segment_id!, segmentLeft - 1);
  }
  return [...byInterface.values()];
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
