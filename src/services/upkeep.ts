import type pg from 'pg';
import { inTransaction } from '../db/database.js';
import type { Leadership } from '../db/leader.js';
import { dropLogPartitionsBefore, ensureUpcomingPartitions } from '../db/partitions.js';
import { ReadingPartitions } from '../db/reading-partitions.js';
import { READING_ORIGIN_CODES } from '../domain/enums.js';
import { messageOf } from '../errors.js';
import { pause } from '../retry.js';
import type { Logger } from '../telemetry.js';
import { writeBatch } from './ingest/batch.js';
import { RegisterDirectory } from './ingest/enrich.js';

const EVERY_MS = 60_000;
const LOG_KEPT_MS = 7 * 86_400_000;
const STAGED_KEPT = '30 days';
const SWEEP_BATCH = 2_000;

/** Once a minute, for as long as this process leads: each duty by itself, so that one that fails holds up no other. */
export async function upkeepWhileLeading(pool: pg.Pool, log: Logger, { signal }: Leadership): Promise<void> {
  const directory = new RegisterDirectory(pool);
  const partitions = new ReadingPartitions(pool);
  const duties: Record<string, () => Promise<void>> = {
    'make partitions ahead': () => withClient(pool, (client) => ensureUpcomingPartitions(client)),
    'drop old log partitions': () =>
      withClient(pool, async (client) => {
        await dropLogPartitionsBefore(client, new Date(Date.now() - LOG_KEPT_MS));
      }),
    'store staged readings of new meters': async () => {
      while ((await promoteStaged(pool, directory, partitions)) === SWEEP_BATCH && !signal.aborted);
    },
    'drop expired staged readings': () => dropExpired(pool, log),
  };
  while (!signal.aborted) {
    for (const [duty, work] of Object.entries(duties)) {
      await work().catch((error: unknown) => {
        log.error({ duty, err: messageOf(error) }, 'a duty failed; it is tried again in a minute');
      });
    }
    await pause(EVERY_MS, signal);
  }
}

async function withClient(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect();
  try {
    await work(client);
  } finally {
    client.release();
  }
}

async function dropExpired(pool: pg.Pool, log: Logger): Promise<void> {
  const { rowCount } = await pool.query(
    `delete from staged_reading where received_at < now() - interval '${STAGED_KEPT}'`,
  );
  if (rowCount)
    log.warn({ readings: rowCount }, `staged readings of meters not created within ${STAGED_KEPT} were dropped`);
}

/**
 * Stores staged readings whose meter exists by now; they leave the stage in the same transaction. Swept, not only
 * done at the meter's creation: a reading staged at that very moment would be forgotten.
 * @returns how many left the stage, at most 2,000
 */
export async function promoteStaged(
  pool: pg.Pool,
  directory: RegisterDirectory,
  partitions: ReadingPartitions,
): Promise<number> {
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
    await partitions.require(known);
    await writeBatch(client, { known, unknown, rejections: [] }, new Date());
    return rows.length;
  });
}
