import type pg from 'pg';
import { Counter } from 'prom-client';
import { inTransaction } from '../db/database.js';
import { STAGED_KEPT_DAYS } from '../domain/staging.js';
import { pause } from '../retry.js';
import { metrics, type Logger } from '../telemetry.js';
import { OutcomeTally } from './ingest/outcomes.js';

/** Readings in one transaction. */
const BATCH = 5_000;
/** Between two of them, so that what is being ingested goes ahead. */
const PAUSE_MS = 100;

const expired = new Counter({
  name: 'amr_staged_readings_expired_total',
  help: 'Readings of unknown meters that were discarded because nobody created their meter in time.',
  registers: [metrics],
});

/** Discards readings whose meter was not created in time, with a warning; in the account they go from staged to discarded. */
export async function expireStaged(pool: pg.Pool, log: Logger, signal?: AbortSignal): Promise<number> {
  let total = 0;
  for (let discarded = BATCH; discarded === BATCH && !signal?.aborted; total += discarded) {
    if (total > 0) await pause(PAUSE_MS, signal);
    discarded = await inTransaction(pool, discardBatch);
    expired.inc(discarded);
  }
  if (total > 0) {
    log.warn(
      { readings: total },
      `staged readings were discarded: their meters were not created within ${STAGED_KEPT_DAYS} days`,
    );
  }
  return total;
}

async function discardBatch(client: pg.PoolClient): Promise<number> {
  const { rows } = await client.query<{
    organization: string;
    publisher: string | null;
    publishedAt: Date | null;
    receivedAt: Date;
  }>(
    `delete from staged_reading where id in (
       select id from staged_reading where received_at < now() - $1 * interval '1 day'
       order by received_at limit $2 for update skip locked)
     returning organization_id as organization, publisher, published_at as "publishedAt", received_at as "receivedAt"`,
    [STAGED_KEPT_DAYS, BATCH],
  );
  const tally = new OutcomeTally();
  for (const { organization, publisher, publishedAt, receivedAt } of rows) {
    const at = (publishedAt ?? receivedAt).getTime();
    const publication = publisher !== null && publishedAt !== null ? { publisher, publishedAt: at } : undefined;
    tally.add(organization, publication, at, 'staged', -1);
    tally.add(organization, publication, at, 'discarded');
  }
  await tally.book(client);
  return rows.length;
}
