import type pg from 'pg';
import { Counter } from 'prom-client';
import type { Verdict } from '../../domain/revision.js';
import { metrics } from '../../telemetry.js';
import type { EnrichedReading } from './enrich.js';

const lateReadings = new Counter({
  name: 'amr_late_readings_total',
  help: 'Readings that were stored after a newer one of their register.',
  registers: [metrics],
});

type Marked = Pick<EnrichedReading, 'target' | 'measuredAt'>;

/** Tells for the readings of one batch, in their order, whether each is older than one of its register before it. */
export function lateness(): (reading: Marked) => boolean {
  const marks = new Map<number, number>();
  return ({ target, measuredAt }) => {
    const mark = Math.max(marks.get(target.register) ?? -Infinity, target.watermark);
    if (measuredAt < mark) return true;
    marks.set(target.register, measuredAt);
    return false;
  };
}

/**
 * The newest instant stored of each register, and how many readings came later than a newer one. Kept in memory, and written
 * every few seconds: a row per register and batch would cost more than the readings. So after a crash the mark may be
 * some seconds behind, and a late reading taken for one in time.
 */
export class Watermarks {
  private dirty = new Map<number, { watermark: number; late: number }>();

  constructor(private readonly pool: Pick<pg.Pool, 'query'>) {}

  /** Readings that were committed. */
  advance(readings: readonly Marked[], verdicts: readonly Verdict[]): void {
    let lateCount = 0;
    for (let index = 0; index < readings.length; index++) {
      if (verdicts[index]!.outcome !== 'stored') continue;
      const { target, measuredAt } = readings[index]!;
      let entry = this.dirty.get(target.register);
      if (!entry) this.dirty.set(target.register, (entry = { watermark: measuredAt, late: 0 }));
      if (measuredAt < target.watermark) {
        entry.late++;
        lateCount++;
      } else target.watermark = measuredAt;
      if (measuredAt > entry.watermark) entry.watermark = measuredAt;
    }
    if (lateCount > 0) lateReadings.inc(lateCount);
  }

  /** Writes what has changed. In one order for all ingesters, so that none deadlock; what could not be written is kept. */
  async flush(): Promise<void> {
    if (this.dirty.size === 0) return;
    const written = this.dirty;
    this.dirty = new Map();
    const rows = [...written].sort(([a], [b]) => a - b);
    try {
      await this.pool.query(
        `insert into register_watermark (register_id, watermark, late_count)
         select * from unnest($1::int[], $2::timestamptz[], $3::bigint[])
         on conflict (register_id) do update set watermark = greatest(register_watermark.watermark, excluded.watermark),
           late_count = register_watermark.late_count + excluded.late_count, updated_at = now()`,
        [
          rows.map(([register]) => register),
          rows.map(([, { watermark }]) => new Date(watermark)),
          rows.map(([, { late }]) => late),
        ],
      );
    } catch (error) {
      for (const [register, { watermark, late }] of written) {
        const newer = this.dirty.get(register);
        if (newer) {
          newer.watermark = Math.max(newer.watermark, watermark);
          newer.late += late;
        } else this.dirty.set(register, { watermark, late });
      }
      throw error;
    }
  }
}
