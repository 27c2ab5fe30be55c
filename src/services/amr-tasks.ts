import { z } from 'zod';
import { AmrTask } from '../../entities/index.js';
import type { Database } from '../db/database.js';
import { AmrSchedule, CatchUpPolicy } from '../domain/enums.js';
import { nextSlot } from '../domain/schedule.js';
import { periodSeconds } from '../domain/schedule-limits.js';
import { InputError } from '../errors.js';
import { description, enumeration, flag, jsonObject, merged, name, parseInput, text, whole } from './input.js';
import { nameMatches } from './name-filter.js';
import type { Page, PageRequest } from './page.js';
import { requireTaskCall } from './task-call.js';
import { databaseNow, TenantService } from './tenant-service.js';

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
export type UpdateAmrTask = Partial<CreateAmrTask> & { id: string };

export interface AmrTaskSelection {
  name?: string | null;
  nameContains?: string | null;
  isActive?: boolean | null;
  schedule?: AmrSchedule | null;
  meterExecutionType?: string | null;
}

/** What is read, and when. A task that is saved can be carried out: its call and kwargs were checked. */
export class AmrTaskService extends TenantService<AmrTask> {
  constructor(database: Database) {
    super(database, AmrTask, 'AmrTask');
  }

  page(organizationId: string, request: PageRequest, selection: AmrTaskSelection = {}): Promise<Page<AmrTask>> {
    const { isActive, schedule, meterExecutionType } = selection;
    return this.pageWhere(organizationId, request, {
      ...nameMatches(selection),
      ...(isActive != null && { isActive }),
      ...(schedule != null && { schedule }),
      ...(meterExecutionType != null && { meterExecutionType }),
    });
  }

  create(organizationId: string, input: CreateAmrTask): Promise<AmrTask> {
    const fields = parseTask(input);
    return this.change(fields.name, async (em) =>
      em.create(AmrTask, { ...fields, organization: organizationId, activeSince: await databaseNow(em) }),
    );
  }

  update(organizationId: string, { id, ...changes }: UpdateAmrTask): Promise<AmrTask> {
    return this.change(changes.name, async (em) => {
      const task = await this.locked(em, organizationId, id);
      const fields = parseTask(merged(task, changes));
      // Slots of before belong to another schedule, or to the time when the task was off: they are not caught up.
      if (fields.schedule !== task.schedule || (fields.isActive && !task.isActive)) {
        task.activeSince = await databaseNow(em);
      }
      return em.assign(task, fields);
    });
  }

  /** Deletes the task. Its runs and their readings are kept. */
  delete(organizationId: string, id: string): Promise<{ id: string }> {
    return this.remove(organizationId, id, async () => undefined);
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
