import type pg from 'pg';
import { inTransaction } from '../db/database.js';
import { planByIndex, planInIndexOrder } from '../db/plans.js';
import { LEASE_MARGIN_MS } from '../domain/lease-margin.js';
import { uuidAt } from '../domain/uuid.js';
import type { PollSessionMessage } from '../messaging/contracts.js';
import { segmentPermits, type Permits } from './segment-permits.js';
import { sessionMessages, type ClaimedCall, type SessionQueue, type Timings } from './session-message.js';

/** Sessions claimed at once. */
export const CLAIM_BATCH = 1_000;
/** Sessions of one queue that no poller has begun, at most: beyond it the broker's order would override priorities. */
const MAX_WAITING_SESSIONS = 2_000;
/** Due runs looked at first, most urgent first; more when they belong to few interfaces. */
const FIRST_WINDOW = 1_500;
const LARGEST_WINDOW = 128_000;
/** Looks at the due runs for one claim, at most. */
const MAX_LOOKS = 8;
/** Runs of one meter in one session; the rest go with the next. */
const MAX_CALLS = 50;

/** Runs of a queue. `is false` because the planner would turn `not` into `<>`, which the index does not know. */
const RUNS_OF: Record<SessionQueue, string> = {
  'amr.on_demand': `(r.origin = 'on_demand')`,
  'amr.scheduled': `(r.origin = 'on_demand') is false`,
};

/** A meter whose due runs can become a session. */
export interface Candidate {
  meter_id: string;
  interface_id: string;
  segment_id: string | null;
  organization_id: string;
}

/**
 * The most urgent meters with runs due on `queue`, one for each idle interface, within the permits of their segments.
 * Takes nothing: `claimSessions` does.
 */
export async function dueMeters(pool: pg.Pool, queue: SessionQueue, timings: Timings): Promise<Candidate[]> {
  if (!(await isAnyDue(pool, queue))) return [];
  return inTransaction(pool, async (client) => {
    await planInIndexOrder(client);
    const { rows: waiting } = await client.query<{ n: number }>(
      `select count(*)::int as n from poll_session where closed_at is null and state = 'dispatched' and queue = $1`,
      [queue],
    );
    const room = Math.min(CLAIM_BATCH, MAX_WAITING_SESSIONS - waiting[0]!.n);
    if (room <= 0) return [];
    const permits = await segmentPermits(client, timings.startByMs);
    const full = new Set([...permits].filter(([, left]) => left === 0).map(([id]) => id));
    let window = Math.min(FIRST_WINDOW, 20 + 2 * room);
    let chosen: Candidate[] = [];
    for (let look = 1; ; look++) {
      const { rows } = await client.query<Candidate>(DUE_METERS[queue], [window, [...full]]);
      // Those chosen before go first: of segments that they filled this look has no rows.
      const choice = choose([...chosen, ...rows], permits, room);
      chosen = choice.chosen;
      const isLast = chosen.length === room || rows.length < window || look === MAX_LOOKS;
      // Meters of segments that have given all they can are out of the next look: those behind them come into view.
      const anew = choice.exhausted.filter((id) => !full.has(id));
      if (isLast || (window >= LARGEST_WINDOW && anew.length === 0)) return chosen;
      for (const id of anew) full.add(id);
      window = Math.min(LARGEST_WINDOW, window * 4);
    }
  });
}

/** The look of most wakes: each session that ends wakes the dispatcher, and seldom is anything due that somebody waits for. */
async function isAnyDue(pool: pg.Pool, queue: SessionQueue): Promise<boolean> {
  const { rows } = await pool.query(
    `select from task_run r where r.state = 'pending' and ${RUNS_OF[queue]} and r.not_before <= now() limit 1`,
  );
  return rows.length > 0;
}

/**
 * Opens sessions for `candidates`: claims idle interfaces, never single runs, as two claims over runs can meet on one
 * interface. The due runs of a meter become one session. Claims of one process must follow one another, or they would
 * spend a permit twice; candidates that have become stale are left out.
 */
export async function claimSessions(
  pool: pg.Pool,
  queue: SessionQueue,
  candidates: readonly Candidate[],
  timings: Timings,
): Promise<PollSessionMessage[]> {
  if (candidates.length === 0) return [];
  const calls = await inTransaction(pool, async (client) => {
    await planByIndex(client);
    const { chosen } = choose(candidates, await segmentPermits(client, timings.startByMs), CLAIM_BATCH);
    return chosen.length === 0 ? [] : openSessions(client, queue, chosen, timings);
  });
  return sessionMessages(queue, calls, timings);
}

/**
 * In the order of the index `task_run_due`, and each run looked up by itself (`offset 0` keeps it so): a planner that
 * joins as it likes was seen to compare each due run with every meter or open session.
 */
const dueOn = (runs: string, interfaces: string) => `
  select due.*
  from task_run r
  cross join lateral (
    select m.id as meter_id, i.id as interface_id, i.segment_id, m.organization_id
    from meter_device m
    join network_interface i on i.id = m.network_interface_id
    where m.id = r.meter_device_id and m.credentials_rejected_at is null and m.life_cycle <> 'retired'
      and (i.segment_id is null or i.segment_id <> all ($2::uuid[]))
      and not exists (select from poll_session s where s.network_interface_id = i.id and s.closed_at is null)
      and ${interfaces}
    offset 0
  ) due
  where r.state = 'pending' and r.not_before <= now() and r.deadline > now() and ${runs}
  order by r.priority desc, r.not_before
  limit $1`;

const DUE_METERS: Record<SessionQueue, string> = {
  'amr.on_demand': dueOn(RUNS_OF['amr.on_demand'], 'true'),
  'amr.scheduled': dueOn(
    RUNS_OF['amr.scheduled'],
    'not exists (select from interface_breaker b where b.network_interface_id = i.id and b.open_until > now())',
  ),
};

/** The first candidate of each interface, as far as permits and room go, and the segments whose permits are used up. */
function choose(
  candidates: readonly Candidate[],
  permits: Permits,
  room: number,
): { chosen: Candidate[]; exhausted: string[] } {
  const left = new Map(permits);
  const byInterface = new Map<string, Candidate>();
  for (const candidate of candidates) {
    if (byInterface.size === room) break;
    const segmentLeft = candidate.segment_id === null ? undefined : left.get(candidate.segment_id);
    if (segmentLeft === 0 || byInterface.has(candidate.interface_id)) continue;
    byInterface.set(candidate.interface_id, candidate);
    if (segmentLeft !== undefined) left.set(candidate.segment_id!, segmentLeft - 1);
  }
  const exhausted = [...left].filter(([, permits]) => permits === 0).map(([id]) => id);
  return { chosen: [...byInterface.values()], exhausted };
}

async function openSessions(
  client: pg.ClientBase,
  queue: SessionQueue,
  picks: readonly Candidate[],
  timings: Timings,
): Promise<ClaimedCall[]> {
  const { rows: runs } = await client.query<{ id: string; scheduled_for: Date; attempts: number; meter_id: string }>(
    `select r.id, r.scheduled_for, r.attempts, p.meter_id
     from unnest($1::uuid[]) as p (meter_id)
     cross join lateral (
       select id, scheduled_for, attempts from task_run
       where meter_device_id = p.meter_id and state = 'pending' and not_before <= now() and deadline > now()
         and (origin = 'on_demand') = ($2 = 'amr.on_demand')
       order by priority desc, not_before, id
       limit $3
       for update skip locked
     ) r`,
    [picks.map((pick) => pick.meter_id), queue, MAX_CALLS],
  );
  const attemptOf = new Map<string, number>();
  for (const { meter_id, attempts } of runs) {
    attemptOf.set(meter_id, Math.max(attemptOf.get(meter_id) ?? 0, attempts + 1));
  }
  const sessions = picks
    .filter((pick) => attemptOf.has(pick.meter_id))
    .map((pick) => ({ ...pick, id: uuidAt(), attempt: attemptOf.get(pick.meter_id) }));
  // An interface that got a session meanwhile is left out: the index on open sessions is the second wall.
  const { rows: opened } = await client.query<{ id: string; meter_id: string }>(
    `insert into poll_session (id, organization_id, network_interface_id, meter_device_id, queue, attempt, state, lease_until)
     select s.id, s.organization_id, s.interface_id, s.meter_id, $6, s.attempt, 'dispatched', now() + $7 * interval '1 millisecond'
     from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::int[]) as s (id, organization_id, interface_id, meter_id, attempt)
     on conflict do nothing
     returning id, meter_device_id as meter_id`,
    [
      sessions.map((session) => session.id),
      sessions.map((session) => session.organization_id),
      sessions.map((session) => session.interface_id),
      sessions.map((session) => session.meter_id),
      sessions.map((session) => session.attempt),
      queue,
      timings.startByMs + timings.sessionCapMs + LEASE_MARGIN_MS,
    ],
  );
  const sessionOf = new Map(opened.map((session) => [session.meter_id, session.id]));
  const carried = runs.filter((run) => sessionOf.has(run.meter_id));
  const { rows: calls } = await client.query<ClaimedCall>(
    `with claimed as (
       update task_run r set state = 'dispatched', poll_session_id = c.session_id, attempts = r.attempts + 1
       from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::int[]) as c (id, scheduled_for, session_id, attempt)
       where r.id = c.id and r.scheduled_for = c.scheduled_for
       returning r.*, c.attempt
     )
     select c.poll_session_id as session_id, c.organization_id, c.attempt, c.id as run_id, c.meter_execution_type,
       c.task_call, c.task_kwargs, c.resume, m.id as meter_id, m.name as meter_name, m.serial_number, m.protocol_address,
       m.manufacturer, m.model, m.time_zone, m.credentials, i.kind, i.host, i.port, i.serial_path, i.baud_rate
     from claimed c
     join meter_device m on m.id = c.meter_device_id
     join network_interface i on i.id = m.network_interface_id
     order by c.poll_session_id, c.priority desc, c.not_before, c.id`,
    [
      carried.map((run) => run.id),
      carried.map((run) => run.scheduled_for),
      carried.map((run) => sessionOf.get(run.meter_id)),
      carried.map((run) => attemptOf.get(run.meter_id)),
    ],
  );
  return calls;
}
