import { ReadingOrigin } from '../../src/domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import type { CommittedBatch } from '../../src/messaging/contracts.js';
import type { Broker } from '../../src/messaging/broker.js';
import type { Database } from '../../src/db/database.js';
import { numberCommitted } from '../../src/db/reading-log.js';

/** A batch in which each column is a meter's values `first`, `first + 1`, … one minute apart. */
export function batchOf(
  ...columns: { meter: string; count: number; first?: number; series?: string; origin?: ReadingOrigin }[]
): CommittedBatch {
  return {
    received_at: Date.UTC(2026, 0, 31, 9),
    columns: columns.map(
      ({ meter, count, first = 0, series = '2:300', origin = ReadingOrigin.SCHEDULED }, register) => ({
        register,
        meter,
        series,
        unit: 'm3',
        origin,
        t: Array.from({ length: count }, (_, i) => Date.UTC(2026, 0, 31) + (first + i) * 60_000),
        v: Array.from({ length: count }, (_, i) => String(first + i)),
        q: Array.from({ length: count }, () => 0),
      }),
    ),
  };
}

/** Commits batches to the log, as an ingester does, and numbers them, as the relay does; broadcasts those `heard` picks. */
export async function commitBatches(
  { pool }: Pick<Database, 'pool'>,
  broker: Broker,
  batches: readonly CommittedBatch[],
  {
    organizationId = DEFAULT_ORGANIZATION_ID,
    heard = () => true,
  }: { organizationId?: string; heard?: () => boolean } = {},
): Promise<void> {
  for (const batch of batches) {
    await pool.query('insert into reading_log (organization_id, reading_count, body) values ($1, $2, $3)', [
      organizationId,
      batch.columns.reduce((sum, { t }) => sum + t.length, 0),
      JSON.stringify(batch),
    ]);
  }
  for (let numbered = await numberCommitted(pool); numbered.length > 0; numbered = await numberCommitted(pool)) {
    for (const { position, organization_id: organization, body } of numbered) {
      if (!heard()) continue;
      await broker.broadcast(
        'readings.committed',
        Buffer.from(`{"position":${position},"organization":"${organization}","batch":${body}}`),
      );
    }
  }
}

/** The next `count` items of a stream, which stays open. */
export async function take<T>(stream: AsyncIterator<T, void>, count: number): Promise<T[]> {
  const items: T[] = [];
  while (items.length < count) {
    const item = await stream.next();
    if (item.done) throw new Error(`the stream ended after ${items.length} of ${count} items`);
    items.push(item.value);
  }
  return items;
}
