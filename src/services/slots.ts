import type pg from 'pg';
import { chooseSlots, mergeSlots, ON_TIME_MS, spanSeconds } from '../domain/catch-up.js';
import type { AmrSchedule, CatchUpPolicy } from '../domain/enums.js';
import { nextSlot, slotsBetween } from '../domain/schedule.js';
import { inTransaction, longQuery } from '../db/database.js';
import { ensurePartition } from '../db/partitions.js';
import { executionContexts } from '../execution/contexts.js';
import { NEW_RUN } from './run-hindrance.js';

/** Slots of one task looked at in one pass; of a longer outage the older ones are never run. */
const MAX_DUE_SLOTS = 1_000;

/** First key of the advisory locks under which one scheduler at a time makes the slots of a task. */
const SLOT_LOCKS = 7_265_020;

type Kwargs = Record<string, unknown>;

interface DueTask {
  id: string;
  name: string;
  schedule: AmrSchedule;
  catch_up: CatchUpPolicy;
  meter_execution_type: string;
  task_call: string;
  task_kwargs: Kwargs;
  run_offset_seconds: number;
  active_since: Date;
  last_slot: Date | null;
}

export interface MaterialisedSlot {
  task: string;
  scheduledFor: Date;
  runs: number;
  /** Earlier slots that these runs stand for too. */
  merged: number;
}

/** A task whose slots could not be made. They are due again in the next look. */
export interface FailedTask {
  task: string;
  name: string;
  error: unknown;
}

/**
 * Makes the runs of every slot that is due by the database's clock. Any number of schedulers may do this at once: the
 * slot row is claimed under its key, so each slot is materialised once. Each task by itself: of one that fails the
 * slots from there on wait for the next look, and the tasks after it do not.
 * @param onFailure default: throws, and so ends the look
 */
export async function materialiseDueSlots(
  pool: pg.Pool,
  onFailure: (failure: FailedTask) => void = ({ error }) => {
    throw error;
  },
): Promise<MaterialisedSlot[]> {
  const made: MaterialisedSlot[] = [];
  const { now, tasks } = await dueTasks(pool);
  for (const task of tasks) {
    try {
      // Inclusive of a slot at the very instant the task became active.
      const after = new Date(Math.max(task.last_slot?.getTime() ?? 0, task.active_since.getTime() - 1));
      const due = slotsBetween(task.schedule, after, now, MAX_DUE_SLOTS);
      const { run, skip } = chooseSlots(task.catch_up, due, now, task.run_offset_seconds);
      if (skip.length > 0 && !(await alone(pool, task, (client) => recordSkipped(client, task, skip)))) continue;
      for (const slots of mergeSlots(run, (span) => mergedKwargs(task, span) !== undefined)) {
        const claimed = await alone(pool, task, (client) => materialise(pool, client, task, slots));
        // Never past slots that another scheduler may still fail to make: the newest is where the next look begins.
        if (!claimed) break;
        made.push(...claimed);
      }
    } catch (error) {
      onFailure({ task: task.id, name: task.name, error });
    }
  }
  return made;
}

/** Kwargs for one run that stands for slots of `span` seconds; undefined where the call needs a run for each. */
function mergedKwargs(task: DueTask, span: number): Kwargs | undefined {
  if (span === 0) return task.task_kwargs;
  return executionContexts
    .get(task.meter_execution_type)
    ?.calls.get(task.task_call)
    ?.mergeSlots?.(task.task_kwargs, span);
}

async function dueTasks(pool: pg.Pool): Promise<{ now: Date; tasks: DueTask[] }> {
  const { rows } = await pool.query<{ now: Date } & { [K in keyof DueTask]: DueTask[K] | null }>(`
    select n.now, t.id, t.name, t.schedule, t.catch_up, t.meter_execution_type, t.task_call, t.task_kwargs,
      t.run_offset_seconds, t.active_since,
      (select max(s.scheduled_for) from task_slot s where s.amr_task_id = t.id) as last_slot
    from (select now()) n
    left join amr_task t on t.is_active`);
  return { now: rows[0]!.now, tasks: rows.filter((row): row is DueTask & { now: Date } => row.id !== null) };
}

/**
 * Runs `work` in a transaction in which no other scheduler touches the slots of the task; undefined, without waiting, when
 * one does: a slot with a million runs takes a minute.
 */
function alone<T>(pool: pg.Pool, task: DueTask, work: (client: pg.PoolClient) => Promise<T>): Promise<T | undefined> {
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ locked: boolean }>(
      'select pg_try_advisory_xact_lock($1, hashtext($2)) as locked',
      [SLOT_LOCKS, task.id],
    );
    return rows[0]!.locked ? work(client) : undefined;
  });
}

/**
 * Claims slots of a task that one run per meter stands for, and makes the runs, of the newest of them. Of slots that have a
 * row meanwhile only the rest is claimed.
 * @param slots oldest first
 * @returns the slot that has the runs, if any
 */
async function materialise(
  pool: pg.Pool,
  client: pg.PoolClient,
  task: DueTask,
  slots: readonly Date[],
): Promise<MaterialisedSlot[]> {
  const { rows } = await client.query<{ scheduled_for: Date }>(
    `insert into task_slot (amr_task_id, scheduled_for, run_count)
     select $1, slot, 0 from unnest($2::timestamptz[]) slot order by slot
     on conflict do nothing returning scheduled_for`,
    [task.id, slots],
  );
  const claimed = rows.map((row) => row.scheduled_for).sort((a, b) => a.getTime() - b.getTime());
  const slot = claimed.at(-1);
  if (!slot) return [];
  await assertPartition(pool, slot);
  // A meter reached through a group and directly, or through two groups, is one meter: union removes it.
  const runs = await longQuery(
    client,
    `insert into task_run (id, scheduled_for, organization_id, origin, meter_device_id, amr_task_id,
       meter_execution_type, task_call, task_kwargs, priority, not_before, deadline, ${NEW_RUN.columns})
     select uuid_v7_at($2), $2, t.organization_id, 'scheduled', m.id, t.id, $4, $5, $6::jsonb, t.priority,
       due.not_before,
       -- Of a slot that was missed the time begins now: it would be over before its run could begin.
       case when due.not_before < now() - interval '${ON_TIME_MS} milliseconds' then now() else due.not_before end
         + coalesce(t.deadline_seconds * interval '1 second', $3::timestamptz - $2::timestamptz),
       ${NEW_RUN.values}
     from amr_task t
     cross join lateral (select $2::timestamptz + t.run_offset_seconds * interval '1 second' as not_before) due
     join meter_device m on m.organization_id = t.organization_id and m.life_cycle <> 'retired'
     join (
       select meter_device_id from meter_device_meter_tasks where amr_task_id = $1
       union
       select of_group.meter_device_id
       from amr_task_group_tasks in_group
       join meter_device_task_groups of_group using (amr_task_group_id)
       where in_group.amr_task_id = $1
     ) reached on reached.meter_device_id = m.id
     ${NEW_RUN.join}
     where t.id = $1
     on conflict do nothing`,
    [
      task.id,
      slot,
      nextSlot(task.schedule, slot),
      task.meter_execution_type,
      task.task_call,
      mergedKwargs(task, spanSeconds(claimed)) ?? task.task_kwargs,
    ],
  );
  await client.query(
    `update task_slot set run_count = case when scheduled_for = $2 then $3 else 0 end,
       merged_into = case when scheduled_for < $2 then $2::timestamptz end
     where amr_task_id = $1 and scheduled_for = any($4)`,
    [task.id, slot, runs.rowCount, claimed],
  );
  await client.query(`select pg_notify('amr_dispatch', '')`);
  return [{ task: task.id, scheduledFor: slot, runs: runs.rowCount ?? 0, merged: claimed.length - 1 }];
}

/** Leaves slots out for good; those that have a row stay as they are. */
async function recordSkipped(client: pg.ClientBase, task: DueTask, slots: readonly Date[]): Promise<true> {
  await client.query(
    `insert into task_slot (amr_task_id, scheduled_for, run_count, skipped)
     select $1, slot, 0, true from unnest($2::timestamptz[]) slot order by slot on conflict do nothing`,
    [task.id, slots],
  );
  return true;
}

/** A caught-up slot may lie before the partitions made ahead. On a connection of its own: it commits by itself. */
async function assertPartition(pool: pg.Pool, slot: Date): Promise<void> {
  const client = await pool.connect();
  try {
    await ensurePartition(client, 'task_run', slot);
  } finally {
    client.release();
  }
}
