import type pg from 'pg';
import { SessionTimeBasis } from '../domain/enums.js';

/** Of calls that have not been carried out lately: a full archive over a slow line. */
const DEFAULT_SECONDS = { expected: 30, p95: 60 };
/** Fewer say nothing. */
const MIN_SAMPLE = 10;
const MAX_SAMPLE = 1_000;
/** Bounds of what is looked at for the sample: tasks with the call, newest slots of each, runs of each of these. */
const TASKS = 20;
const SLOTS = 6;
const RUNS_OF_SLOT = 200;
/** And of the newest runs of the organization, among which are direct invocations. */
const NEWEST_RUNS = 2_000;

export interface SessionTime {
  readonly expected: number;
  readonly p95: number;
  readonly basis: SessionTimeBasis;
  readonly sampleSize: number;
}

/**
 * How long a session with one such call takes, from runs of the last seven days that succeeded at the first try. Slots are
 * looked into by the key (task, slot, meter), a bounded number of rows each: a slot may have a million runs that are open.
 */
export async function sessionTime(
  pool: pg.Pool,
  organizationId: string,
  { meterExecutionType, taskCall }: { meterExecutionType: string; taskCall: string },
): Promise<SessionTime> {
  const { rows } = await pool.query<{ expected: number; p95: number; n: number }>(
    `with looked_at as (
       select r.id, r.scheduled_for, r.state, r.attempts, r.meter_execution_type, r.task_call, r.started_at, r.finished_at
       from (
         select id from amr_task
         where organization_id = $1 and meter_execution_type = $2 and task_call = $3 order by id desc limit ${TASKS}
       ) t
       cross join lateral (
         select scheduled_for from task_slot
         where amr_task_id = t.id and run_count > 0 and scheduled_for > now() - interval '7 days'
         order by scheduled_for desc limit ${SLOTS}
       ) s
       cross join lateral (
         select * from task_run where amr_task_id = t.id and scheduled_for = s.scheduled_for
         order by meter_device_id limit ${RUNS_OF_SLOT}
       ) r
       union
       select id, scheduled_for, state, attempts, meter_execution_type, task_call, started_at, finished_at
       from (
         select * from task_run where organization_id = $1 and scheduled_for > now() - interval '7 days'
         order by scheduled_for desc, id desc limit ${NEWEST_RUNS}
       ) newest
     ), sample as (
       select extract(epoch from finished_at - started_at)::float8 as seconds
       from looked_at
       where state = 'succeeded' and attempts = 1 and meter_execution_type = $2 and task_call = $3 and started_at is not null
       order by scheduled_for desc limit ${MAX_SAMPLE}
     )
     select avg(seconds) as expected, percentile_cont(0.95) within group (order by seconds) as p95, count(*)::int as n
     from sample`,
    [organizationId, meterExecutionType, taskCall],
  );
  const { expected, p95, n } = rows[0]!;
  if (n < MIN_SAMPLE) return { ...DEFAULT_SECONDS, basis: SessionTimeBasis.DEFAULT, sampleSize: n };
  return { expected, p95, basis: SessionTimeBasis.MEASURED, sampleSize: n };
}
