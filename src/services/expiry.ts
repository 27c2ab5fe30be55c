import type pg from 'pg';
import { inTransaction } from '../db/database.js';
import { expiryReason, type ExpiryFacts } from '../domain/expiry-reason.js';
import type { Broker } from '../messaging/broker.js';
import { announceRuns } from './run-events.js';
import { queuesTaken } from './worker-registry.js';

const BATCH = 500;

interface OverdueRun {
  id: string;
  organization_id: string;
  scheduled_for: Date;
}

/**
 * Gives up runs that were not begun before their deadline, and says why.
 * @returns how many, at most 500
 */
export async function expireRuns(pool: pg.Pool, broker: Broker): Promise<number> {
  const expired = await inTransaction(pool, async (client) => {
    // By itself and by its index: nearly always there is none.
    const { rows } = await client.query<OverdueRun>(
      `select id, organization_id, scheduled_for from task_run where state = 'pending' and deadline <= now()
       order by deadline limit $1 for update skip locked`,
      [BATCH],
    );
    if (rows.length === 0) return rows;
    const facts = await factsOf(client, rows);
    const reasons = rows.map((row) => expiryReason(facts.get(row.id)!));
    await client.query(
      `update task_run r set state = 'expired', finished_at = now(), error_code = e.code, error_message = e.message
       from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[]) e (id, scheduled_for, code, message)
       where r.id = e.id and r.scheduled_for = e.scheduled_for`,
      [
        rows.map((row) => row.id),
        rows.map((row) => row.scheduled_for),
        reasons.map((reason) => reason.code),
        reasons.map((reason) => reason.message),
      ],
    );
    return rows;
  });
  await announceRuns(broker, expired);
  return expired.length;
}

async function factsOf(client: pg.ClientBase, runs: readonly OverdueRun[]): Promise<Map<string, ExpiryFacts>> {
  const taken = await queuesTaken(client);
  const { rows } = await client.query<ExpiryFacts & { id: string; queue: string }>(
    `select r.id, r.attempts, r.error_code as "lastCode", r.error_message as "lastMessage",
       case r.origin when 'on_demand' then 'amr.on_demand' else 'amr.scheduled' end as queue,
       m.credentials_rejected_at is not null as "credentialsRejected", m.life_cycle = 'retired' as retired,
       i.id is not null as "hasInterface",
       coalesce(b.failures, 0) as "unreachableSessions", b.error_message as "unreachableMessage",
       exists (select from poll_session s where s.network_interface_id = i.id and s.closed_at is null) as "interfaceBusy",
       coalesce(g.open >= g.max_open_sessions or g.fresh >= g.max_new_sessions_per_second, false) as "segmentFull"
     from unnest($1::uuid[], $2::timestamptz[]) e (id, scheduled_for)
     join task_run r on r.id = e.id and r.scheduled_for = e.scheduled_for
     join meter_device m on m.id = r.meter_device_id
     left join network_interface i on i.id = m.network_interface_id
     left join interface_breaker b on b.network_interface_id = i.id and b.open_until is not null and r.origin <> 'on_demand'
     left join (
       select g.id, g.max_open_sessions, g.max_new_sessions_per_second, count(s.id) filter (where s.closed_at is null) as open,
         count(s.id) filter (where s.created_at > now() - interval '3 seconds') as fresh
       from segment g
       join network_interface i on i.segment_id = g.id
       join (
         select * from poll_session where closed_at is null
         union all
         select * from poll_session where closed_at > now() - interval '3 seconds'
       ) s on s.network_interface_id = i.id
       where g.max_open_sessions is not null or g.max_new_sessions_per_second is not null
       group by g.id
     ) g on g.id = i.segment_id`,
    [runs.map((run) => run.id), runs.map((run) => run.scheduled_for)],
  );
  return new Map(rows.map(({ id, queue, ...facts }) => [id, { ...facts, hasWorker: taken.has(queue) }]));
}
