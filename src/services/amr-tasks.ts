import { z } from 'zod';
import { AmrTask } from '../../entities/index.js';
import type { Database } from '../db/database.js';
import { AmrSchedule, CatchUpPolicy } from '../domain/enums.js';
import { nextSlot } from '../domain/schedule.js';
import { periodSeconds } from '../domain/schedule-limits.js';
import type { AmrTaskOrderField } from '../domain/orderings.js';
import { InputError } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { description, enumeration, flag, jsonObject, merged, name, parseInput, text, whole } from './input.js';
import type { NameSelection } from './name-filter.js';
import type { OrderBy, Orderings } from './ordering.js';
import type { Page, PageRequest } from './page.js';
import { announceWithdrawn, countOpenRuns, withdrawRuns, type Withdrawn } from './run-withdrawal.js';
import { requireTaskCall } from './task-call.js';
import { countRows, databaseNow, TenantService, type Deletion } from './tenant-service.js';
import { use } from './uses.js';

const YEAR_SECONDS = 365 * 86_400;

const TaskFields = z.object({
  name,
  description: description.default(''),
  isActive: flag.default(true),
  schedule: enumeration(AmrSchedule),
  runOffsetSeconds: z.int({ error: 'must be a whole number of seconds' }).default(0),
  meterExecutionType: text(100),
  taskCall: text(100),
  taskKwargs: jsonObject.default({}),
  catchUp: enumeration(CatchUpPolicy).default(CatchUpPolicy.LATEST),
  deadlineSeconds: whole(1, YEAR_SECONDS).nullable().default(null),
  priority: whole(-1000, 1000).default(0),
});
export type CreateAmrTask = z.input<typeof TaskFields>;
/** What of a task says how much work it is. */
const PlannedFields = TaskFields.pick({
  schedule: true,
  runOffsetSeconds: true,
  meterExecutionType: true,
  taskCall: true,
  taskKwargs: true,
  deadlineSeconds: true,
});
export type PlannedTask = z.output<typeof PlannedFields>;
export type UpdateAmrTask = Partial<CreateAmrTask> & { id: string; expectedVersion?: number | null };

export interface AmrTaskSelection extends NameSelection {
  ids?: string[] | null;
  isActive?: boolean | null;
  schedule?: AmrSchedule | null;
  meterExecutionType?: string | null;
  taskCall?: string | null;
  amrTaskGroup?: string | null;
  meterDevice?: string | null;
  updatedSince?: Date | null;
}

const ORDERINGS: Orderings<AmrTaskOrderField> = {
  CREATED_AT: 'id',
  UPDATED_AT: { column: 'updated_at', type: 'timestamptz' },
  NAME: { column: 'name', type: 'text' },
  PRIORITY: { column: 'priority', type: 'int' },
};

/** What is read, and when. A task that is saved can be carried out: its call and kwargs were checked. */
export class AmrTaskService extends TenantService<AmrTask> {
  constructor(
    database: Database,
    private readonly broker: Broker,
  ) {
    super(database, AmrTask, 'AmrTask', ORDERINGS);
  }

  page(
    organizationId: string,
    request: PageRequest,
    selection: AmrTaskSelection = {},
    orderBy?: OrderBy<AmrTaskOrderField> | null,
  ): Promise<Page<AmrTask>> {
    const { ids, isActive, schedule, meterExecutionType, taskCall, amrTaskGroup, meterDevice, updatedSince } =
      selection;
    return this.list({
      organizationId,
      request,
      orderBy,
      where: (conditions) =>
        conditions
          .ids('t.id', ids)
          .name('t', selection)
          .equals('t.is_active', isActive)
          .equals('t.schedule', schedule)
          .equals('t.meter_execution_type', meterExecutionType)
          .equals('t.task_call', taskCall)
          .related(
            amrTaskGroup,
            (id) => `t.id in (select amr_task_id from amr_task_group_tasks where amr_task_group_id = ${id})`,
          )
          .related(
            meterDevice,
            (id) => `t.id in (
              select amr_task_id from meter_device_meter_tasks where meter_device_id = ${id}
              union all
              select in_group.amr_task_id from meter_device_task_groups of_group
              join amr_task_group_tasks in_group using (amr_task_group_id) where of_group.meter_device_id = ${id})`,
          )
          .between('t.updated_at', updatedSince, null),
    });
  }

  create(organizationId: string, input: CreateAmrTask): Promise<AmrTask> {
    const fields = parseTask(input);
    return this.insert(organizationId, fields.name, async (em) =>
      em.create(AmrTask, { ...fields, organization: organizationId, activeSince: await databaseNow(em) }),
    );
  }

  update(organizationId: string, { id, expectedVersion, ...changes }: UpdateAmrTask): Promise<AmrTask> {
    return this.edit(organizationId, { id, expectedVersion, name: changes.name }, async (em, task) => {
      const fields = parseTask(merged(task, changes));
      // Slots of before belong to another schedule, or to the time when the task was off: they are not caught up.
      if (fields.schedule !== task.schedule || (fields.isActive && !task.isActive)) {
        task.activeSince = await databaseNow(em);
      }
      em.assign(task, fields);
    });
  }

  /** Deletes the task; its runs and their readings are kept. By force also one in use: what has not ended is withdrawn. */
  async delete(organizationId: string, deletion: Deletion): Promise<{ id: string }> {
    let withdrawn: Withdrawn | undefined;
    const deleted = await this.remove(organizationId, deletion, {
      uses: async (em, { id }) => {
        const groups = await countRows(em, 'select count(*) as count from amr_task_group_tasks where amr_task_id = ?', [
          id,
        ]);
        const meters = await countRows(
          em,
          'select count(*) as count from meter_device_meter_tasks where amr_task_id = ?',
          [id],
        );
        const runs = await countOpenRuns(em, 'r.amr_task_id = ?', [id]);
        return {
          links: [
            ...use(groups, ['task group', 'task groups'], 'whose meters would no longer be polled by it'),
            ...use(meters, ['meter', 'meters'], 'which would no longer be polled by it'),
            ...use(runs, ['run that has not ended', 'runs that have not ended'], 'which would be cancelled'),
          ],
          cure: 'Set isActive to false to pause it',
        };
      },
      unlink: async (em, { id }) => {
        withdrawn = await withdrawRuns(em, 'r.amr_task_id = ?', [id], 'cancelled, as its task was deleted');
        return { cancelledRuns: withdrawn.cancelled, cancelRequestedRuns: withdrawn.requested };
      },
    });
    if (withdrawn) await announceWithdrawn(this.broker, withdrawn);
    return deleted;
  }
}

/** Earliest start of the next scheduled run after `now`; null while the task is inactive. */
export function nextRunAt(task: AmrTask, now: Date): Date | null {
  if (!task.isActive) return null;
  const offsetMs = task.runOffsetSeconds * 1000;
  const after = Math.max(now.getTime() - offsetMs, task.activeSince.getTime() - 1);
  return new Date(nextSlot(task.schedule, new Date(after)).getTime() + offsetMs);
}

function parseTask(input: unknown): z.output<typeof TaskFields> {
  const fields = parseInput(TaskFields, input);
  requireFeasible(fields);
  return fields;
}

/** Checks what a plan needs of a task as saving the task does. */
export function parsePlannedTask(input: unknown): PlannedTask {
  const fields = parseInput(PlannedFields, input);
  requireFeasible(fields);
  return fields;
}

function requireFeasible(task: PlannedTask): void {
  const period = periodSeconds(task.schedule);
  if (task.runOffsetSeconds < 0 || task.runOffsetSeconds > period) {
    throw new InputError(
      'BAD_USER_INPUT',
      `input.runOffsetSeconds must be from 0 to ${period}, the period of a ${task.schedule} task; it is ${task.runOffsetSeconds}.`,
      'input.runOffsetSeconds',
    );
  }
  requireTaskCall(task);
}
