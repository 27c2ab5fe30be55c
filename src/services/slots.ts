import type pg from 'pg';
import { chooseSlots } from '../domain/catch-up.js';
import type { AmrSchedule, CatchUpPolicy } from '../domain/enums.js';
import { nextSlot, slotsBetween } from '../domain/schedule.js';
import { inTransaction } from '../db/database.js';
import { ensurePartition } from '../db/partitions.js';

/** Slots of one task looked at in one pass; of a longer outage the older ones are never run. */
const MAX_DUE_SLOTS = 1_000;

interface DueTask {
  id: string;
  schedule: AmrSchedule;
  catch_up: CatchUpPolicy;
  active_since: Date;
  last_slot: Date | null;
}

export interface MaterialisedSlot {
  task: string;
  scheduledFor: Date;
  runs: number;
}

/**
 * Makes the runs of every slot that is due by the database's clock. Any number of schedulers may do this at once: the
 * slot row is claimed under its key, so each slot is materialised once.
 */
export async function materialiseDueSlots(pool: pg.Pool): Promise<MaterialisedSlot[]> {
  const made: MaterialisedSlot[] = [];
  const { now, tasks } = await dueTasks(pool);
  for (const task of tasks) {
    // Inclusive of a slot at the very instant the task became active.
    const after = new Date(Math.max(task.last_slot?.getTime() ?? 0, task.active_since.getTime() - 1));
    const due = slotsBetween(task.schedule, after, now, MAX_DUE_SLOTS);
    const { run, skip } = chooseSlots(task.catch_up, due, now);
    for (const slot of skip) await recordSkipped(pool, task.id, slot);
    for (const slot of run) {
      const runs = await materialise(pool, task.id, slot, nextSlot(task.schedule, slot));
      if (runs !== undefined) made.push({ task: task.id, scheduledFor: slot, runs });
    }
  }
  return made;
}

async function dueTasks(pool: pg.Pool): Promise<{ now: Date; tasks: DueTask[] }> {
  const { rows } = await pool.query<{ now: Date } & { [K in keyof DueTask]: DueTask[K] | null }>(`
    select n.now, t.id, t.schedule, t.catch_up, t.active_since,
      (select max(s.scheduled_for) from task_slot s where s.amr_task_id = t.id) as last_slot
    from (select now()) n
    left join amr_task t on t.is_active`);
  return { now: rows[0]!.now, tasks: rows.filter((row): row is DueTask & { now: Date } => row.id !== null) };
}

/** Claims one slot and makes its runs. Returns how many, or undefined when another scheduler has the slot. */
async function materialise(pool: pg.Pool, task: string, slot: Date, nextSlotAt: Date): Promise<number | undefined> {
  return inTransaction(pool, async (client) => {
    const claimed = await client.query(
      'insert into task_slot (amr_task_id, scheduled_for, run_count) values ($1, $2, 0) on conflict do nothing',
      [task, slot],
    );
    if (claimed.rowCount === 0) return undefined;
    await assertPartition(pool, slot);
    // A meter reached through a group and directly, or through two groups, is one meter: union removes it.
    const runs = await client.query(
      `insert into task_run (id, scheduled_for, organization_id, origin, state, meter_device_id, amr_task_id,
         meter_execution_type, task_call, task_kwargs, priority, not_before, deadline, finished_at, error_code, error_message)
       select uuid_v7_at($2), $2, t.organization_id, 'scheduled',
         case when m.network_interface_id is null then 'failed' else 'pending' end,
         m.id, t.id, t.meter_execution_type, t.task_call, t.task_kwargs, t.priority,
         $2::timestamptz + t.run_offset_seconds * interval '1 second',
         $2::timestamptz + t.run_offset_seconds * interval '1 second'
           + coalesce(t.deadline_seconds * interval '1 second', $3::timestamptz - $2::timestamptz),
         case when m.network_interface_id is null then now() end,
         case when m.network_interface_id is null then 'NO_INTERFACE' end,
         case when m.network_interface_id is null then 'the meter has no network interface to reach it by; give it one' end
       from amr_task t
       join meter_device m on m.organization_id = t.organization_id and m.life_cycle <> 'retired'
       join (
         select meter_device_id from meter_device_meter_tasks where amr_task_id = $1
         union
         select of_group.meter_device_id
         from amr_task_group_tasks in_group
         join meter_device_task_groups of_group using (amr_task_group_id)
         where in_group.amr_task_id = $1
       ) reached on reached.meter_device_id = m.id
       where t.id = $1
       on conflict do nothing`,
      [task, slot, nextSlotAt],
    );
    await client.query('update task_slot set run_count = $3 where amr_task_id = $1 and scheduled_for = $2', [
      task,
      slot,
      runs.rowCount,
    ]);
    await client.query(`select pg_notify('amr_dispatch', '')`);
    return runs.rowCount ?? 0;
  });
}

async function recordSkipped(pool: pg.Pool, task: string, slot: Date): Promise<void> {
  await pool.query(
    'insert into task_slot (amr_task_id, scheduled_for, run_count, skipped) values ($1, $2, 0, true) on conflict do nothing',
    [task, slot],
  );
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
