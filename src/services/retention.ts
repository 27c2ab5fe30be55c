import type pg from 'pg';
import { dropReadingPartitionsBefore, dropRunPartitionsBefore } from '../db/partitions.js';
import { pause } from '../retry.js';
import type { Logger } from '../telemetry.js';

/** Rows in one delete: some tens of milliseconds. */
const BATCH = 5_000;
/** Between two of them, so that what people wait for goes ahead. */
const PAUSE_MS = 100;
const DEAD_LETTERS_KEPT = '30 days';

/** Runs go by whole months, and what belongs to them goes with them: the start of the oldest month that is kept. */
const OLDEST_KEPT = `date_trunc('month', now() - $1 * interval '1 day')`;

/** Drops the months of runs that ended more than `keptDays` ago; one with a run that has not ended waits. */
export async function dropOldRuns(pool: pg.Pool, keptDays: number, log: Logger): Promise<void> {
  const client = await pool.connect();
  try {
    const { rows } = await client.query<{ limit: Date }>(`select ${OLDEST_KEPT} as limit`, [keptDays]);
    const dropped = await dropRunPartitionsBefore(client, rows[0]!.limit);
    if (dropped.length > 0) log.info({ dropped, keptDays }, 'old runs were dropped');
  } finally {
    client.release();
  }
}

/**
 * Deletes slots as old as runs that were dropped, and their counts by group. The newest slot of a task stays whatever its
 * age, as it says where the calendar stands; one with runs stays with them, as when an open run keeps their month.
 */
export async function dropOldSlots(pool: pg.Pool, keptDays: number, signal: AbortSignal): Promise<void> {
  await inBatches(signal, () =>
    pool.query(
      `delete from task_slot where (amr_task_id, scheduled_for) in (
         select s.amr_task_id, s.scheduled_for
         from amr_task t
         cross join lateral (
           select amr_task_id, scheduled_for from task_slot
           where amr_task_id = t.id and settled_at is not null and scheduled_for < ${OLDEST_KEPT}
             and not exists (select from task_run r where r.amr_task_id = t.id and r.scheduled_for = task_slot.scheduled_for)
             and scheduled_for < (select max(scheduled_for) from task_slot newest where newest.amr_task_id = t.id)
           limit $2
         ) s
         limit $2)`,
      [keptDays, BATCH],
    ),
  );
  await inBatches(signal, () =>
    pool.query(
      `delete from task_slot_group where (amr_task_group_id, scheduled_for, amr_task_id) in (
         select s.amr_task_group_id, s.scheduled_for, s.amr_task_id
         from amr_task_group g
         cross join lateral (
           select amr_task_group_id, scheduled_for, amr_task_id from task_slot_group
           where amr_task_group_id = g.id and scheduled_for < ${OLDEST_KEPT}
             and not exists (
               select from task_slot s
               where s.amr_task_id = task_slot_group.amr_task_id and s.scheduled_for = task_slot_group.scheduled_for)
           limit $2
         ) s
         limit $2)`,
      [keptDays, BATCH],
    ),
  );
}

/** Deletes idempotency keys as old as runs that were dropped: what they would return is gone. */
export async function dropOldInvocationKeys(pool: pg.Pool, keptDays: number, signal: AbortSignal): Promise<void> {
  await inBatches(signal, () =>
    pool.query(
      `delete from invocation_key where (organization_id, key) in (
         select organization_id, key from invocation_key where created_at < ${OLDEST_KEPT} order by created_at limit $2)`,
      [keptDays, BATCH],
    ),
  );
}

/**
 * Drops the months of readings that ended more than `keptDays` ago, then their revisions and the watermarks of registers
 * that have been silent since. Ingesters refuse what is older, see `oldestAccepted`.
 */
export async function dropOldReadings(
  pool: pg.Pool,
  keptDays: number,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const client = await pool.connect();
  try {
    const { rows } = await client.query<{ limit: Date }>(`select ${OLDEST_KEPT} as limit`, [keptDays]);
    const dropped = await dropReadingPartitionsBefore(client, rows[0]!.limit);
    if (dropped.length > 0) log.info({ dropped, keptDays }, 'old readings were dropped');
    // A look through all registers, so not every minute. One that a crash leaves does no harm: it is older than all there is.
    if (dropped.length > 0) await dropOldWatermarks(pool, keptDays, log, signal);
  } finally {
    client.release();
  }
  let revisions = 0;
  await inBatches(signal, async () => {
    const deleted = await pool.query(
      `delete from meter_reading_revision where id in (
         select id from meter_reading_revision where measured_at < ${OLDEST_KEPT} order by measured_at limit $2)`,
      [keptDays, BATCH],
    );
    revisions += deleted.rowCount ?? 0;
    return deleted;
  });
  if (revisions > 0) log.info({ revisions, keptDays }, 'revisions of old readings were dropped');
}

async function dropOldWatermarks(pool: pg.Pool, keptDays: number, log: Logger, signal: AbortSignal): Promise<void> {
  let watermarks = 0;
  await inBatches(signal, async () => {
    const deleted = await pool.query(
      `delete from register_watermark where register_id in (
         select register_id from register_watermark where watermark < ${OLDEST_KEPT} limit $2)`,
      [keptDays, BATCH],
    );
    watermarks += deleted.rowCount ?? 0;
    return deleted;
  });
  if (watermarks > 0) log.info({ watermarks, keptDays }, 'watermarks of silent registers were dropped');
}

/** Deletes sessions that were closed more than `keptDays` ago. */
export async function dropOldSessions(pool: pg.Pool, keptDays: number, signal: AbortSignal): Promise<void> {
  await inBatches(signal, () =>
    pool.query(
      `delete from poll_session where id in (
         select id from poll_session where closed_at < now() - $1 * interval '1 day' order by closed_at limit $2)`,
      [keptDays, BATCH],
    ),
  );
}

/** Deletes dead letters that were resolved or discarded more than 30 days ago. */
export async function dropClosedDeadLetters(pool: pg.Pool, signal: AbortSignal): Promise<void> {
  await inBatches(signal, () =>
    pool.query(
      `delete from dead_letter where id in (
         select id from dead_letter where closed_at < now() - interval '${DEAD_LETTERS_KEPT}' order by closed_at limit $1)`,
      [BATCH],
    ),
  );
}

/** Deletes entries of the audit that are older than `keptDays`. */
export async function dropOldAuditEntries(pool: pg.Pool, keptDays: number, signal: AbortSignal): Promise<void> {
  await inBatches(signal, () =>
    pool.query(
      `delete from audit_entry where id in (
         select id from audit_entry where at < now() - $1 * interval '1 day' order by at limit $2)`,
      [keptDays, BATCH],
    ),
  );
}

/** Repeats `deleteSome` until it finds less than a whole batch. */
async function inBatches(signal: AbortSignal, deleteSome: () => Promise<pg.QueryResult>): Promise<void> {
  while (!signal.aborted && (await deleteSome()).rowCount === BATCH) await pause(PAUSE_MS, signal);
}
