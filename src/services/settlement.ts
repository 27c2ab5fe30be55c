import type pg from 'pg';

/** Slots looked at in one statement. */
const BATCH = 1_000;

interface UnsettledSlot {
  task: string;
  /** Milliseconds since the epoch. */
  scheduledFor: number;
}

/**
 * Counts how the runs of a slot ended, once all have. Slots without runs (skipped, merged into another, without meters)
 * settle at once.
 *
 * Whether a run of a slot is still open is found by the key (task, slot, meter), from the meter where one was last seen
 * open: runs before it have ended, ended runs stay so, and a slot gets all its runs in the transaction that makes it. So
 * the runs of a slot are passed over once in its life and not at each look, a million of them or four.
 */
export class SlotSettlement {
  /** The meter whose run was last seen open, by slot. Of slots that are not settled only. */
  private openAt = new Map<string, string>();

  constructor(private readonly pool: pg.Pool) {}

  /** Settles every slot that can be, oldest first. A slot that fails does not hold up the others; the first error is thrown at the end. */
  async settle(signal: AbortSignal): Promise<void> {
    const openAt = new Map<string, string>();
    const errors: unknown[] = [];
    let last: UnsettledSlot | undefined;
    do {
      const slots = await this.unsettledAfter(last);
      const openMeters = await this.openMeters(slots);
      for (const [index, slot] of slots.entries()) {
        const openMeter = openMeters[index];
        if (openMeter) openAt.set(keyOf(slot), openMeter);
        else if (!signal.aborted) await this.count(slot).catch((error: unknown) => errors.push(error));
      }
      last = slots.length === BATCH ? slots.at(-1) : undefined;
    } while (last && !signal.aborted);
    this.openAt = openAt;
    if (errors.length > 0) throw errors[0];
  }

  private async unsettledAfter(last: UnsettledSlot | undefined): Promise<UnsettledSlot[]> {
    const { rows } = await this.pool.query<{ task: string; scheduled_for: Date }>(
      `select amr_task_id as task, scheduled_for from task_slot
       where settled_at is null and scheduled_for >= $1 and (scheduled_for, amr_task_id) > ($1, $2::uuid)
       order by scheduled_for, amr_task_id limit $3`,
      [new Date(last?.scheduledFor ?? 0), last?.task ?? '00000000-0000-0000-0000-000000000000', BATCH],
    );
    return rows.map((row) => ({ task: row.task, scheduledFor: row.scheduled_for.getTime() }));
  }

  /** For each slot the first meter, from the one last seen on, whose run has not ended. */
  private async openMeters(slots: readonly UnsettledSlot[]): Promise<(string | null)[]> {
    const { rows } = await this.pool.query<{ meter: string | null }>(
      `select open.meter_device_id as meter
       from unnest($1::uuid[], $2::timestamptz[], $3::uuid[]) with ordinality as s (task, scheduled_for, meter, place)
       left join lateral (
         select r.meter_device_id from task_run r
         where r.amr_task_id = s.task and r.scheduled_for = s.scheduled_for and r.meter_device_id >= s.meter
           and r.state in ('pending', 'dispatched', 'running')
         order by r.meter_device_id limit 1
       ) open on true
       order by s.place`,
      [
        slots.map(({ task }) => task),
        slots.map(({ scheduledFor }) => new Date(scheduledFor)),
        slots.map((slot) => this.openAt.get(keyOf(slot)) ?? '00000000-0000-0000-0000-000000000000'),
      ],
    );
    return rows.map(({ meter }) => meter);
  }

  /** One statement, so the counts of the slot, those by group and the mark that they hold are there together or not at all. */
  private async count({ task, scheduledFor }: UnsettledSlot): Promise<void> {
    await this.pool.query(
      `with run as materialized (
         select meter_device_id, state from task_run where amr_task_id = $1 and scheduled_for = $2
       ), settled as (
         update task_slot set settled_at = now(), succeeded_count = n.succeeded, failed_count = n.failed,
           expired_count = n.expired, cancelled_count = n.cancelled
         from (select ${COUNTS} from run) n
         where amr_task_id = $1 and scheduled_for = $2 and settled_at is null
         returning true
       )
       insert into task_slot_group (amr_task_id, scheduled_for, amr_task_group_id, run_count,
         succeeded_count, failed_count, expired_count, cancelled_count)
       select $1, $2, g.amr_task_group_id, count(*), ${COUNTS}
       from amr_task_group_tasks g
       join meter_device_task_groups m using (amr_task_group_id)
       join run using (meter_device_id)
       where g.amr_task_id = $1 and exists (select from settled)
       group by g.amr_task_group_id`,
      [task, new Date(scheduledFor)],
    );
  }
}

const COUNTS = ['succeeded', 'failed', 'expired', 'cancelled']
  .map((state) => `count(*) filter (where state = '${state}') as ${state}`)
  .join(', ');

function keyOf({ task, scheduledFor }: UnsettledSlot): string {
  return `${task} ${scheduledFor}`;
}
