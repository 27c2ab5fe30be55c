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

/** A day of the reading log that is gone. */
export interface DroppedLog {
  readonly name: string;
  /** Its rows that the topic exchange had not confirmed. */
  readonly unexchanged: number;
}

/**
 * Drops whole days of the reading log that ended before `limit`, unless a row in them waits for its number or its
 * broadcast. The topic exchange is not waited for: a broker that refuses for days must not fill the disk. What it has not
 * confirmed is told.
 */
export async function dropLogPartitionsBefore(client: Queryable, limit: Date): Promise<DroppedLog[]> {
  const dropped: DroppedLog[] = [];
  for (const name of await partitionsBefore(client, 'reading_log', limit)) {
    const { rows } = await client.query<{ waiting: boolean; unexchanged: string }>(
      `select exists (select from ${PARTITION_SCHEMA}.${name} where position is null)
           or exists (select from ${PARTITION_SCHEMA}.${name} where position > h.published) as waiting,
         (select count(*) from ${PARTITION_SCHEMA}.${name} where position > h.exchanged) as unexchanged
       from reading_log_head h`,
    );
    const { waiting, unexchanged } = rows[0]!;
    if (waiting) continue;
    await client.query(`drop table ${PARTITION_SCHEMA}.${name}`);
    dropped.push({ name, unexchanged: Number(unexchanged) });
  }
  return dropped;
}

/** Longest that one drop of a partition of runs or readings may wait for a lock, and so hold up readers behind it. */
const LOCK_WAIT_MS = 500;

/**
 * Drops whole months of readings that ended before `limit`. As with runs: both steps under the lock, in milliseconds, or
 * `lock_not_available` for a later try. Under the lock of the makers as well, so that none finds the month half gone.
 */
export async function dropReadingPartitionsBefore(client: Queryable, limit: Date): Promise<string[]> {
  const dropped: string[] = [];
  for (const name of await partitionsBefore(client, 'meter_reading', limit)) {
    await client.query('begin');
    try {
      await client.query(`set local lock_timeout = ${LOCK_WAIT_MS}`);
      await client.query('select pg_advisory_xact_lock($1)', [PARTITION_LOCK]);
      await client.query(`alter table meter_reading detach partition ${PARTITION_SCHEMA}.${name}`);
      await client.query(`drop table ${PARTITION_SCHEMA}.${name}`);
      await client.query('commit');
      dropped.push(name);
    } catch (error) {
      await client.query('rollback');
      throw error;
    }
  }
  return dropped;
}

/**
 * Drops whole months of runs that ended before `limit`, unless one of their runs has not ended. Runs its own transactions
 * on `client`. A plain DETACH, not a concurrent one: that may be left half done, and says nothing about rows that come
 * between the look and the drop. Here both happen under the lock, which is held for milliseconds and waited for briefly:
 * while a long statement is at the runs, the drop throws `lock_not_available` and is for a later try.
 */
export async function dropRunPartitionsBefore(client: Queryable, limit: Date): Promise<string[]> {
  const dropped: string[] = [];
  for (const name of await partitionsBefore(client, 'task_run', limit)) {
    // Looked at first without the lock: a month with an old open run is looked at again and again.
    if (await hasOpenRuns(client, name)) continue;
    await client.query('begin');
    try {
      await client.query(`set local lock_timeout = ${LOCK_WAIT_MS}`);
      // The tables its foreign keys refer to as well: dropping the keys locks them.
      await client.query('lock table task_run, meter_device, amr_task in access exclusive mode');
      const open = await hasOpenRuns(client, name);
      if (!open) {
        await client.query(`alter table task_run detach partition ${PARTITION_SCHEMA}.${name}`);
        await client.query(`drop table ${PARTITION_SCHEMA}.${name}`);
        dropped.push(name);
      }
      await client.query('commit');
    } catch (error) {
      await client.query('rollback');
      throw error;
    }
  }
  return dropped;
}

/** By the partial indexes of runs that are due or under way. */
async function hasOpenRuns(client: Queryable, partition: string): Promise<boolean> {
  const { rows } = await client.query<{ open: boolean }>(
    `select exists (select from ${PARTITION_SCHEMA}.${partition} where state = 'pending')
         or exists (select from ${PARTITION_SCHEMA}.${partition} where state in ('dispatched', 'running')) as open`,
  );
  return rows[0]!.open;
}

/** Partitions of `table` whose whole range lies before `limit`, oldest first. */
async function partitionsBefore(client: Queryable, table: PartitionedTable, limit: Date): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = $1::regclass and c.relname < $2 order by 1`,
    [table, partitionName(table, limit)],
  );
  return rows.map(({ name }) => name);
}
