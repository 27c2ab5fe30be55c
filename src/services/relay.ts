import type pg from 'pg';
import { Counter, Gauge } from 'prom-client';
import { inTransaction } from '../db/database.js';
import type { Leadership } from '../db/leader.js';
import type { Broker } from '../messaging/broker.js';
import { pause } from '../retry.js';
import { metrics } from '../telemetry.js';

/** Log rows numbered in one transaction. */
const BATCH = 200;
/** Longest sleep: a missed notification delays a reading by at most this. */
const IDLE_MS = 500;

const relayed = new Counter({
  name: 'amr_relayed_batches_total',
  help: 'Committed batches numbered and broadcast.',
  registers: [metrics],
});
const position = new Gauge({
  name: 'amr_relay_position',
  help: 'Position of the newest numbered batch.',
  registers: [metrics],
});

/**
 * Numbers committed log rows and broadcasts them, for as long as this process leads. Numbering happens after commit and
 * by one hand, so a later position never becomes visible before an earlier one. A broadcast that is lost (this process
 * ends between the two, the broker is away) is read from the table by whoever notices the gap.
 */
export async function relayWhileLeading(pool: pg.Pool, broker: Broker, { client, signal }: Leadership): Promise<void> {
  let wake = new AbortController();
  client.on('notification', () => wake.abort());
  await client.query('listen amr_relay');
  while (!signal.aborted) {
    const numbered = await numberCommitted(pool);
    for (const row of numbered) {
      // The body is JSON already: put together as text, it is not parsed on the way.
      await broker.broadcast(
        'readings.committed',
        Buffer.from(`{"position":${row.position},"organization":"${row.organization_id}","batch":${row.body}}`),
      );
    }
    if (numbered.length > 0) {
      relayed.inc(numbered.length);
      position.set(Number(numbered.at(-1)!.position));
    }
    if (numbered.length < BATCH) await pause(IDLE_MS, signal, wake.signal);
    if (wake.signal.aborted) wake = new AbortController();
  }
}

interface NumberedRow {
  position: string;
  organization_id: string;
  body: string;
}

/** Gives the next positions to committed rows that have none, oldest first. The head row is the lock of last resort. */
export async function numberCommitted(pool: pg.Pool): Promise<NumberedRow[]> {
  return inTransaction(pool, async (client) => {
    const { rows: heads } = await client.query<{ position: string }>(
      'select position from reading_log_head for update',
    );
    const { rows } = await client.query<NumberedRow>(
      `with next as (
         select id, committed_at, $1::bigint + row_number() over (order by id) as position
         from (select id, committed_at from reading_log where position is null order by id limit $2) unnumbered
       ), numbered as (
         update reading_log l set position = next.position from next
         where l.id = next.id and l.committed_at = next.committed_at
         returning l.position, l.organization_id, l.body
       )
       select * from numbered order by position`,
      [heads[0]!.position, BATCH],
    );
    if (rows.length > 0) await client.query('update reading_log_head set position = $1', [rows.at(-1)!.position]);
    return rows;
  });
}
