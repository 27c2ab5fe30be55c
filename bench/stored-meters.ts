import type pg from 'pg';
import { ensurePartition } from '../src/db/partitions.js';
import { DEFAULT_ORGANIZATION_ID } from '../src/domain/organization.js';
import { SERIES, type ReadingPlan } from './reading-plan.js';

/** Makes the meters of a plan, register n + 1 for meter n, and the partitions for that many of its readings. */
export async function storeMeters(client: pg.ClientBase, plan: ReadingPlan, readings: number): Promise<void> {
  await client.query(
    `insert into meter_device (id, organization_id, name) select gen_random_uuid(), $1, 'BENCH-' || n from generate_series(0, $2 - 1) n`,
    [DEFAULT_ORGANIZATION_ID, plan.meters],
  );
  await client.query(`insert into series (id, organization_id, name, unit) values (gen_random_uuid(), $1, $2, 'kWh')`, [
    DEFAULT_ORGANIZATION_ID,
    SERIES,
  ]);
  await client.query(
    `insert into register (meter_device_id, series_id) select m.id, s.id from meter_device m, series s order by split_part(m.name, '-', 2)::int`,
  );
  await ensureMonths(client, plan.firstAt, plan.lastAt(readings));
  await client.query('analyze');
}

/** Makes the partitions of readings from one instant to another, and returns the months' first instants. */
export async function ensureMonths(client: pg.ClientBase, from: number, to: number): Promise<number[]> {
  const months: number[] = [];
  const first = new Date(from);
  for (let month = first.getUTCMonth(); ; month++) {
    const at = Date.UTC(first.getUTCFullYear(), month, 1);
    if (at > to) return months;
    await ensurePartition(client, 'meter_reading', new Date(at));
    months.push(at);
  }
}
