import type pg from 'pg';
import { pause } from '../../src/retry.js';

const LOOK_MS = 50;

/** Looks again and again until `reached`; when the time is over it throws, and says what state the runs are in. */
export async function until(
  pool: pg.Pool,
  what: string,
  reached: () => boolean | Promise<boolean>,
  withinMs: number,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await reached())) {
    if (performance.now() > deadline) {
      throw new Error(`not reached within ${withinMs} ms: ${what}; runs: ${await describeRuns(pool)}`);
    }
    await pause(LOOK_MS);
  }
}

/** How many runs are in which state, with how many tries, for which reason; and the sessions that are open. */
export async function describeRuns(pool: pg.Pool): Promise<string> {
  const { rows: runs } = await pool.query<object>(
    `select t.name as task, origin, state, attempts, error_code, error_message, count(*)::int as runs, min(not_before) as "notBefore"
     from task_run r left join amr_task t on t.id = r.amr_task_id
     group by 1, 2, 3, 4, 5, 6 order by 1, 2, 3, 4 limit 60`,
  );
  const { rows: sessions } = await pool.query<object>(
    `select state, count(*)::int as sessions, max(lease_until - now())::text as "longestLease"
     from poll_session where closed_at is null group by 1`,
  );
  return [...runs, ...sessions].map((row) => `\n  ${JSON.stringify(row)}`).join('');
}
