import type pg from 'pg';
import { Gauge } from 'prom-client';
import type { ResultMessage } from '../messaging/contracts.js';
import { pause } from '../retry.js';
import { metrics } from '../telemetry.js';

const KEPT = '1 day';
const COUNT_EVERY_MS = 10_000;

const silentWorkers = new Gauge({
  name: 'amr_silent_workers',
  help: 'Workers that went silent without a goodbye; counted by the leading dispatcher, 0 elsewhere.',
  registers: [metrics],
});

/** A worker not heard of for this long is silent: it reports every 10 s, and one report may be late. */
export const WORKER_SILENT = '35 seconds';

/** Joins to each row `w` of `worker` its state `s.state`, and puts those that work first, newest first. */
export const WITH_STATE = `cross join lateral (
    select case when w.stopped_at is not null then 'stopped'
      when w.last_seen_at < now() - interval '${WORKER_SILENT}' then 'silent' else 'active' end as state) s
  order by array_position(array['active', 'silent', 'stopped'], s.state), w.started_at desc, w.id`;

/** Queues that some worker takes which was heard of lately. */
export async function queuesTaken(client: Pick<pg.ClientBase, 'query'>): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ queue: string }>(
    `select distinct unnest(queues) as queue from worker
     where stopped_at is null and last_seen_at > now() - interval '${WORKER_SILENT}'`,
  );
  return new Set(rows.map(({ queue }) => queue));
}

/** Books what a worker says of itself; the first word of a process makes its row. Times are the database's. */
export async function recordHeartbeat(
  client: pg.ClientBase,
  worker: Extract<ResultMessage, { type: 'heartbeat' }>,
): Promise<void> {
  await client.query(
    `insert into worker (id, kind, host, pid, version, queues, max_sessions, open_sessions, stopped_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, case when $9 then now() end)
     on conflict (id) do update set queues = excluded.queues, max_sessions = excluded.max_sessions,
       open_sessions = excluded.open_sessions, last_seen_at = now(), stopped_at = coalesce(worker.stopped_at, excluded.stopped_at)`,
    [
      worker.worker,
      worker.kind,
      worker.host,
      worker.pid,
      worker.version,
      worker.queues,
      worker.max_sessions,
      worker.open_sessions,
      worker.stopped ?? false,
    ],
  );
}

/** Keeps the metric of silent workers, for as long as this process leads: of several schedulers one counts. */
export async function countSilentWorkersWhileLeading(pool: pg.Pool, signal: AbortSignal): Promise<void> {
  try {
    while (!signal.aborted) {
      const { rows } = await pool.query<{ silent: number }>(
        `select count(*)::int as silent from worker where stopped_at is null and last_seen_at < now() - interval '${WORKER_SILENT}'`,
      );
      silentWorkers.set(rows[0]!.silent);
      await pause(COUNT_EVERY_MS, signal);
    }
  } finally {
    silentWorkers.set(0);
  }
}

/** Forgets workers that stopped, or went silent, long ago. */
export async function forgetGoneWorkers(pool: pg.Pool): Promise<void> {
  await pool.query(`delete from worker where last_seen_at < now() - interval '${KEPT}'`);
}
