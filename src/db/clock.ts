import type pg from 'pg';

/** The database's clock, to the millisecond that has begun: due times are never computed from a process's own. */
export async function readClock(pool: pg.Pool): Promise<Date> {
  const { rows } = await pool.query<{ now: Date }>(`select date_trunc('milliseconds', now()) as now`);
  return rows[0]!.now;
}
