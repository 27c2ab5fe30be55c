import type pg from 'pg';
import type { RunOrigin } from '../domain/enums.js';
import { retryDelayMs } from '../domain/retry-policy.js';
import type { MeterErrorCode } from '../errors.js';

/** A run whose try ended without success. */
export interface FailedTry {
  id: string;
  scheduledFor: Date;
  origin: RunOrigin;
  /** Tries so far, this one included. */
  attempts: number;
  /** Of these, how many vanished before this one. */
  lostTries: number;
  msToDeadline: number;
  code: MeterErrorCode;
  message: string;
  /** Readings that arrived before the failure. */
  readingCount: number;
  /** A write that may have happened and may not happen twice. */
  mustNotRepeat?: boolean;
}

/** Puts a run back for a later try, or fails it, with the reason of this try either way. */
export async function settleFailedTry(client: pg.ClientBase, run: FailedTry): Promise<void> {
  const lost = run.code === 'LOST';
  const lostTries = run.lostTries + (lost ? 1 : 0);
  const delay = run.mustNotRepeat ? undefined : retryDelayMs({ ...run, lostTries }, run.code, Math.random());
  await client.query(
    `update task_run set
       state = case when $3::float8 is null then 'failed' else 'pending' end,
       not_before = case when $3::float8 is null then not_before else greatest(not_before, now() + $3 * interval '1 millisecond') end,
       finished_at = case when $3::float8 is null then now() end,
       error_code = $4, error_message = $5, reading_count = reading_count + $6, lost_tries = $7,
       -- Word of a try that vanished may still come; word of one that was reported has come.
       poll_session_id = case when $3::float8 is null or $4 = 'LOST' then poll_session_id end
     where id = $1 and scheduled_for = $2`,
    [run.id, run.scheduledFor, delay ?? null, run.code, run.message, run.readingCount, lostTries],
  );
}
