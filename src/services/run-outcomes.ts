import type pg from 'pg';
import { TaskRunState, type RunOrigin } from '../domain/enums.js';
import { retryDelayMs } from '../domain/retry-policy.js';
import type { MeterErrorCode } from '../errors.js';

/** A run that is not final, with what decides about another try. */
export interface OpenRunRow {
  id: string;
  organization_id: string;
  scheduled_for: Date;
  meter_device_id: string;
  origin: RunOrigin;
  /** Tries so far, the one that ends included. */
  attempts: number;
  /** Of these, how many vanished before it. */
  lost_tries: number;
  ms_to_deadline: number;
  cancel_requested: boolean;
}

/** Selects an `OpenRunRow` from `task_run r`. */
export const FAILED_TRY_COLUMNS = `r.id, r.organization_id, r.scheduled_for, r.meter_device_id, r.origin, r.attempts,
  r.lost_tries, (extract(epoch from r.deadline - now()) * 1000)::float8 as ms_to_deadline,
  r.cancel_requested_at is not null as cancel_requested`;

/** A try that ended without success. */
export interface FailedTry {
  run: OpenRunRow;
  code: MeterErrorCode;
  message: string;
  /** Readings that arrived before the failure. */
  readingCount: number;
  /** Nobody reported it. */
  vanished?: boolean;
  /** Where the next try goes on. Absent: where this one was to. */
  resume?: Record<string, unknown> | undefined;
  /** A write that may have happened and may not happen twice. */
  mustNotRepeat?: boolean;
}

/** Puts runs back for a later try, or ends them, with the reason of this try either way. */
export async function settleFailedTries(client: pg.ClientBase, tries: readonly FailedTry[]): Promise<void> {
  if (tries.length === 0) return;
  const settled = tries.map((failed) => {
    const lostTries = failed.run.lost_tries + (failed.code === 'LOST' ? 1 : 0);
    const { origin, attempts, ms_to_deadline: msToDeadline } = failed.run;
    const again = retryDelayMs({ origin, attempts, lostTries, msToDeadline }, failed.code, Math.random());
    const delayMs = failed.mustNotRepeat ? undefined : again;
    return { lostTries, delayMs, ...whatBecomesOf(failed, delayMs !== undefined) };
  });
  await client.query(
    `update task_run r set
       state = told.state,
       not_before = case when told.state = 'pending' then greatest(r.not_before, now() + told.delay_ms * interval '1 millisecond')
         else r.not_before end,
       finished_at = case when told.state <> 'pending' then now() end,
       error_code = told.code, error_message = told.message, reading_count = r.reading_count + told.reading_count,
       attempts = case when told.code = 'NO_WORKER' then r.attempts - 1 else r.attempts end, lost_tries = told.lost_tries, resume = coalesce(told.resume, r.resume),
       -- Word of a try that vanished may still come; word of one that was reported has come.
       poll_session_id = case when told.state <> 'pending' or told.vanished then r.poll_session_id end
     from unnest($1::uuid[], $2::timestamptz[], $3::float8[], $4::text[], $5::text[], $6::int[], $7::int[], $8::text[], $9::boolean[], $10::jsonb[])
       told (id, scheduled_for, delay_ms, code, message, reading_count, lost_tries, state, vanished, resume)
     where r.id = told.id and r.scheduled_for = told.scheduled_for`,
    [
      tries.map(({ run }) => run.id),
      tries.map(({ run }) => run.scheduled_for),
      settled.map(({ delayMs }) => delayMs ?? null),
      settled.map(({ code }) => code),
      settled.map(({ message }) => message),
      tries.map(({ readingCount }) => readingCount),
      settled.map(({ lostTries }) => lostTries),
      settled.map(({ state }) => state),
      tries.map(({ vanished = false }) => vanished),
      tries.map(({ resume }) => (resume === undefined ? null : JSON.stringify(resume))),
    ],
  );
}

/** One that is to be cancelled ends instead of another try; a failure that no other try would cure stays what it is. */
function whatBecomesOf(
  { run, code, message }: FailedTry,
  canRetry: boolean,
): { state: TaskRunState; code: MeterErrorCode; message: string } {
  if (code === 'CANCELLED') return { state: TaskRunState.CANCELLED, code, message };
  const nothingHappened = code === 'LOST' || code === 'NO_WORKER';
  if (!canRetry && !(run.cancel_requested && nothingHappened)) {
    return { state: code === 'NO_WORKER' ? TaskRunState.EXPIRED : TaskRunState.FAILED, code, message };
  }
  if (!run.cancel_requested) return { state: TaskRunState.PENDING, code, message };
  return { state: TaskRunState.CANCELLED, code: 'CANCELLED', message: `cancelled; its last try said: ${message}` };
}
