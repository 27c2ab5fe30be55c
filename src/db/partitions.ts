import type pg from 'pg';
import { PARTITION_SCHEMA } from './orm.js';

/** Tables partitioned by time and the width of their partitions. */
const PARTITIONED = {
  meter_reading: { column: 'measured_at', width: 'month' },
  task_run: { column: 'scheduled_for', width: 'month' },
  reading_log: { column: 'committed_at', width: 'day' },
} as const;
export type PartitionedTable = keyof typeof PARTITIONED;

/** Partitions made ahead of time. */
const AHEAD = { month: 3, day: 7 } as const;

/** Serialises the makers of partitions; held for one short transaction. */
const PARTITION_LOCK = 7_265_002;

type Queryable = Pick<pg.ClientBase, 'query'>;

/** Makes the partitions for today and the time ahead of every partitioned table. Idempotent. */
export async function ensureUpcomingPartitions(client: Queryable, now = new Date()): Promise<void> {
  for (const table of Object.keys(PARTITIONED) as PartitionedTable[]) {
    const { width } = PARTITIONED[table];
    let at = floor(now, width);
    for (let made = 0; made <= AHEAD[width]; made++) {
      await ensurePartition(client, table, at);
      at = next(at, width);
    }
  }
}

/**
 * Makes the partition of `table` that holds `at`, if it is missing. Runs its own transaction on `client`.
 * A stand-alone table is filled with constraints first and then attached: `create table … partition of` would lock
 * readers of the whole table out, ATTACH does not, and the CHECK saves it the scan.
 */
export async function ensurePartition(client: Queryable, table: PartitionedTable, at: Date): Promise<void> {
  const { column, width } = PARTITIONED[table];
  const from = floor(at, width);
  const to = next(from, width);
  const name = partitionName(table, at);
  const qualified = `${PARTITION_SCHEMA}.${name}`;
  await client.query('begin');
  try {
    await client.query('select pg_advisory_xact_lock($1)', [PARTITION_LOCK]);
    const { rows } = await client.query<{ exists: boolean }>('select to_regclass($1) is not null as exists', [
      qualified,
    ]);
    if (!rows[0]!.exists) {
      const range = `${column} >= '${from.toISOString()}' and ${column} < '${to.toISOString()}'`;
      await client.query(
        `create table ${qualified} (like ${table} including all, constraint ${name}_range check (${range}))`,
      );
      await client.query(
        `alter table ${table} attach partition ${qualified} for values from ('${from.toISOString()}') to ('${to.toISOString()}')`,
      );
      await client.query(`alter table ${qualified} drop constraint ${name}_range`);
    }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

/** Name of the partition that holds `at`, such as `meter_reading_2026_01`. */
export function partitionName(table: PartitionedTable, at: Date): string {
  const length = PARTITIONED[table].width === 'month' ? 7 : 10;
  return `${table}_${at.toISOString().slice(0, length).replaceAll('-', '_')}`;
}

function floor(at: Date, width: 'month' | 'day'): Date {
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), width === 'month' ? 1 : at.getUTCDate()));
}

function next(from: Date, width: 'month' | 'day'): Date {
  return width === 'month'
    ? new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + 1, 1))
    : new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth(), from.getUTCDate() + 1));
}

/** Drops whole days of the reading log that ended before `limit`, unless a row in them still waits for its number. */
export async function dropLogPartitionsBefore(client: Queryable, limit: Date): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'reading_log'::regclass and c.relname < $1 order by 1`,
    [partitionName('reading_log', limit)],
  );
  const dropped: string[] = [];
  for (const { name } of rows) {
    const { rows: waiting } = await client.query(
      `select from ${PARTITION_SCHEMA}.${name} where position is null limit 1`,
    );
    if (waiting.length > 0) continue;
    await client.query(`drop table ${PARTITION_SCHEMA}.${name}`);
    dropped.push(name);
  }
  return dropped;
}
