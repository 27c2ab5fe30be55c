import type pg from 'pg';
import { Counter } from 'prom-client';
import { pause } from '../retry.js';
import { metrics } from '../telemetry.js';
import { OUTCOMES } from './ingest/outcomes.js';

/** How long minutes of the account are kept, looked at and accepted. */
export const LOSS_KEPT = '40 days';
export const LOSS_KEPT_DAYS = 40;

/** Rows folded in one transaction, and deleted in one. */
const BATCH = 5_000;
const PAUSE_MS = 100;

const folded = new Counter({
  name: 'amr_loss_outcomes_folded_total',
  help: 'Rows of outcomes that were added to their minutes of the account; by the leader.',
  registers: [metrics],
});

const COUNTS = [...OUTCOMES, 'on_time', 'timed'] as const;

/**
 * Adds booked outcomes to their minutes and removes them, in one statement: each counts once, whoever dies when.
 * @returns whether more may be left
 */
async function foldSome(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query<{ moved: number }>(
    `with moved as (
       delete from reading_outcome
       where ctid = any(array(select ctid from reading_outcome limit $1 for update skip locked))
       returning *
     ), folded as (
       insert into loss_minute (organization_id, minute, publisher, ${COUNTS.join(', ')})
       select organization_id, minute, publisher, ${COUNTS.map((count) => `sum(${count})`).join(', ')}
       from moved group by 1, 2, 3 order by 1, 2, 3
       on conflict on constraint loss_minute_once do update set
         ${COUNTS.map((count) => `${count} = loss_minute.${count} + excluded.${count}`).join(', ')})
     select count(*)::int as moved from moved`,
    [BATCH],
  );
  folded.inc(rows[0]!.moved);
  return rows[0]!.moved === BATCH;
}

/** Folds all outcomes that are booked by now. */
export async function foldOutcomes(pool: pg.Pool, signal?: AbortSignal): Promise<void> {
  while (!signal?.aborted && (await foldSome(pool)));
}

/** Deletes minutes older than what is kept, balanced or not: an alarm about one ends with it. */
export async function dropOldMinutes(pool: pg.Pool, signal: AbortSignal): Promise<void> {
  const dropSome = () =>
    pool.query(
      `delete from loss_minute where ctid = any(array(
         select ctid from loss_minute where minute < now() - interval '${LOSS_KEPT}' order by minute limit $1))`,
      [BATCH],
    );
  while (!signal.aborted && (await dropSome()).rowCount === BATCH) await pause(PAUSE_MS, signal);
}
