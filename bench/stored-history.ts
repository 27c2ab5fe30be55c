import type pg from 'pg';
import { partitionName } from '../src/db/partitions.js';
import { PARTITION_SCHEMA } from '../src/db/orm.js';
import { ensureMonths } from './stored-meters.js';

/** Bytes of a stored reading with its share of the index, about: a database with a million took 163 each with all else that it holds. */
export const READING_BYTES = 150;

/**
 * Stores a reading of every meter at each step from one instant until before another, as if they had come over that time, and
 * marks how far each register is. Month by month, in the order of the key, which fills the index from one end.
 * @returns how many
 */
export async function storeHistory(
  client: pg.ClientBase,
  { meters, from, to, stepMs }: { meters: number; from: number; to: number; stepMs: number },
): Promise<number> {
  const months = await ensureMonths(client, from, to);
  let stored = 0;
  for (const [index, month] of months.entries()) {
    const first = Math.ceil((Math.max(from, month) - from) / stepMs);
    const end = Math.ceil((Math.min(to, months[index + 1] ?? to) - from) / stepMs);
    if (end <= first) continue;
    const table = `${PARTITION_SCHEMA}.${partitionName('meter_reading', new Date(month))}`;
    const { rowCount } = await client.query(
      `insert into ${table} (register_id, measured_at, value, quality, origin, received_at, collected_at, message_id)
       select register, measured_at, 1000 + step + (step * 37 % 10000) / 10000.0, 0, 0, measured_at, measured_at, message_id
       from (select register, step, $4::timestamptz + step * $5::float8 * interval '1 millisecond' as measured_at, gen_random_uuid() as message_id
             from (select register, generate_series($2::int, $3::int - 1) as step from generate_series(1, $1::int) register) s) r`,
      [meters, first, end, new Date(from), stepMs],
    );
    stored += rowCount ?? 0;
    console.error(`stored ${stored.toLocaleString('en')} readings, up to ${new Date(month).toISOString().slice(0, 7)}`);
  }
  await client.query(
    `insert into register_watermark (register_id, watermark) select r, $2 from generate_series(1, $1::int) r`,
    [meters, new Date(to - stepMs)],
  );
  return stored;
}
