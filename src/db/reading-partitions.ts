import type pg from 'pg';
import { ensurePartition } from './partitions.js';

const DAY_MS = 86_400_000;

/** Makes the partitions that readings need, and remembers those that are there. */
export class ReadingPartitions {
  /** Days since the epoch whose partition is known to exist. */
  private readonly days = new Set<number>();

  constructor(private readonly pool: pg.Pool) {}

  /** A partition that was there may be gone. */
  forget(): void {
    this.days.clear();
  }

  /** Call before the transaction that stores these readings: a partition is made in one of its own. */
  async require(readings: readonly { measuredAt: number }[]): Promise<void> {
    for (const { measuredAt } of readings) {
      const day = Math.floor(measuredAt / DAY_MS);
      if (this.days.has(day)) continue;
      const client = await this.pool.connect();
      try {
        await ensurePartition(client, 'meter_reading', new Date(measuredAt));
      } finally {
        client.release();
      }
      this.days.add(day);
    }
  }
}
