import type pg from 'pg';
import { ensurePartition, partitionName } from './partitions.js';

/** Makes the partitions that runs need, and remembers those that are there: each month is looked after once. */
export class RunPartitions {
  private readonly known = new Set<string>();

  constructor(private readonly pool: pg.Pool) {}

  /** Call before the transaction that makes runs for `scheduledFor`: a partition is made in one of its own. */
  async require(scheduledFor: Date): Promise<void> {
    const partition = partitionName('task_run', scheduledFor);
    if (this.known.has(partition)) return;
    const client = await this.pool.connect();
    try {
      await ensurePartition(client, 'task_run', scheduledFor);
      this.known.add(partition);
    } finally {
      client.release();
    }
  }
}
