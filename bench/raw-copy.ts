import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { ReadingPlan } from './reading-plan.js';

const TIMES = 3;
const ROWS_PER_CHUNK = 5_000;

/**
 * Rows per second of raw COPY into the empty table, the median of three times: the rows of a plan in its order, prepared
 * beforehand, so that the time is the server's. The table is left empty.
 */
export async function rawCopy(client: pg.Client, plan: ReadingPlan, readings: number): Promise<number> {
  const chunks: string[] = [];
  for (let start = 0; start < readings; start += ROWS_PER_CHUNK) {
    const lines = Array.from({ length: Math.min(ROWS_PER_CHUNK, readings - start) }, (_, index) => {
      const { meter, measuredAt, value } = plan.reading(start + index);
      return `${meter + 1}\t${measuredAt}\t${value}\t0\t0\t2026-06-01T00:00:00Z\n`;
    });
    chunks.push(lines.join(''));
  }
  const rates: number[] = [];
  for (let time = 0; time < TIMES; time++) {
    await client.query('truncate meter_reading');
    const started = performance.now();
    await pipeline(
      Readable.from(chunks),
      client.query(
        copyFrom('copy meter_reading (register_id, measured_at, value, quality, origin, received_at) from stdin'),
      ),
    );
    rates.push((readings * 1000) / (performance.now() - started));
  }
  await client.query('truncate meter_reading');
  return rates.sort((a, b) => a - b)[Math.floor(TIMES / 2)]!;
}
