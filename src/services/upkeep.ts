import type pg from 'pg';
import { inTransaction } from '../db/database.js';
import type { Leadership } from '../db/leader.js';
import { dropLogPartitionsBefore, ensureUpcomingPartitions } from '../db/partitions.js';
import { READING_ORIGIN_CODES } from '../domain/enums.js';
import { messageOf } from '../errors.js';
import { pause } from '../retry.js';
import type { Logger } from '../telemetry.js';
import { writeBatch } from './ingest/batch.js';
import type { RegisterDirectory } from './ingest/enrich.js';

const EVERY_MS = 60_000;
const LOG_KEPT_MS = 7 * 86_400_000;
const STAGED_KEPT = '30 days';
const SWEEP_BATCH = 2_000;

/** Once a minute, for as long as this process leads: partitions ahead, old log dropped, staged readings of new meters stored. */
export async function upkeepWhileLeading(
  pool: pg.Pool,
  directory: RegisterDirectory,
  log: Logger,
  { signal }: Leadership,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const client = await pool.connect();
      try {
        await ensureUpcomingPartitions(client);
        await dropLogPartitionsBefore(client, new Date(Date.now() - LOG_KEPT_MS));
      } finally {
        client.release();
      }
      while ((await promoteStaged(pool, directory)) === SWEEP_BATCH && !signal.aborted);
      const dropped = await pool.query(
        `delete from staged_reading where received_at < now() - interval '${STAGED_KEPT}'`,
      );
      if (dropped.rowCount)
        log.warn(
          { readings: dropped.rowCount },
          `staged readings of meters not created within ${STAGED_KEPT} were dropped`,
        );
    } catch (error) {
      log.error({ err: messageOf(error) }, 'upkeep failed; tried again in a minute');
    }
    await pause(EVERY_MS, signal);
  }
}

/**
 * Stores staged readings whose meter exists by now; they leave the stage in the same transaction. Swept, not only
 * done at the meter's creation: a reading staged at that very moment would be forgotten.
 * @returns how many left the stage, at most 2,000
 */
export async function promoteStaged(pool: pg.Pool, directory: RegisterDirectory): Promise<number> {
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<{
      organization_id: string;
      meter: string;
      series: string;
      measured_at: Date;
      value: string;
      unit: string | null;
      quality: number;
      origin: number;
    }>(
      `delete from staged_reading where id in (
         select s.id from staged_reading s
         join meter_device m on m.organization_id = s.organization_id and (m.name = s.meter or m.id::text = s.meter)
         order by s.id limit $1 for update of s skip locked)
       returning organization_id, meter, series, measured_at, value, unit, quality, origin`,
      [SWEEP_BATCH],
    );
    if (rows.length === 0) return 0;
    const { known, unknown } = await directory.enrich(
      rows.map((row) => ({
        organization: row.organization_id,
        meter: row.meter,
        series: row.series,
        measuredAt: row.measured_at.getTime(),
        value: row.value,
        unit: row.unit ?? undefined,
        quality: row.quality,
        origin: READING_ORIGIN_CODES[row.origin]!,
        run: undefined,
      })),
    );
    await writeBatch(client, { known, unknown, rejections: [] }, new Date());
    return rows.length;
  });
}
