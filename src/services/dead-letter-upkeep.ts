import type pg from 'pg';
import { Gauge } from 'prom-client';
import type { Broker } from '../messaging/broker.js';
import { WORK_QUEUES } from '../messaging/topology.js';
import { metrics, type Logger } from '../telemetry.js';
import { publishRedriven, type RedrivingLetter } from './redrive-publishing.js';

/** A redrive takes seconds; one that is under way for so long was left by a process that died, or its message was lost. */
const FORGOTTEN = '2 minutes';
const REPUBLISHED_AT_ONCE = 1_000;
const RATE_PER_SECOND = 200;
/** Times a letter is published at all, before somebody must look at it. */
const MAX_PUBLISHED = 10;

const open = new Gauge({
  name: 'amr_dead_letters',
  help: 'Dead letters that wait for a decision; counted by the leading ingester, 0 elsewhere.',
  labelNames: ['queue'],
  registers: [metrics],
});

/** Publishes again what was redriven and never settled: twice does no harm. One that was published ten times is dead again. */
export async function republishForgotten(
  pool: pg.Pool,
  broker: Pick<Broker, 'publish'>,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { rows } = await pool.query<RedrivingLetter & { given_up: boolean }>(
    `update dead_letter d set redriven_at = now(), redrives = d.redrives + case when f.given_up then 0 else 1 end,
       state = case when f.given_up then 'dead' else 'redriving' end
     from (
       select id, redrives >= ${MAX_PUBLISHED} as given_up from dead_letter
       where state = 'redriving' and redriven_at < now() - interval '${FORGOTTEN}'
       order by redriven_at limit ${REPUBLISHED_AT_ONCE} for update skip locked) f
     where d.id = f.id
     returning d.id, d.queue, d.size, f.given_up`,
  );
  if (rows.length === 0) return;
  const again = rows.filter((row) => !row.given_up);
  log.warn(
    { again: again.length, dead: rows.length - again.length },
    'redriven dead letters were not settled; they are published again',
  );
  await publishRedriven(pool, broker, again, RATE_PER_SECOND, log, signal);
}

/** Keeps the metric of dead letters. */
export async function countDeadLetters(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ queue: string; count: number }>(
    `select queue, count(*)::int as count from dead_letter where state = 'dead' group by queue`,
  );
  const counts = new Map(rows.map(({ queue, count }) => [queue, count]));
  for (const queue of WORK_QUEUES) open.set({ queue }, counts.get(queue) ?? 0);
}

/** For a process that leads no longer. */
export function forgetDeadLetterCounts(): void {
  for (const queue of WORK_QUEUES) open.set({ queue }, 0);
}
