import {
  Entity,
  Enum,
  Index,
  ManyToOne,
  PrimaryKey,
  PrimaryKeyProp,
  Property,
  Unique,
  type Rel,
} from '@mikro-orm/core';
import { RunOrigin, TaskRunState } from '../src/domain/enums.js';
import { AmrTask } from './amr-task.js';
import { MeterDevice } from './meter-device.js';
import { Organization } from './organization.js';

/**
 * One task call on one meter, for one slot or one invocation. Partitioned by month of `scheduledFor`; the id is a
 * UUIDv7 stamped with `scheduledFor`, so that a look-up by id alone prunes partitions (`src/domain/uuid.ts`).
 */
@Entity()
// One run for each task, meter and slot, however many schedulers try. Direct invocations have no task and are not bound by it.
@Unique({ name: 'task_run_slot', properties: ['amrTask', 'scheduledFor', 'meterDevice'] })
@Index({ name: 'task_run_meter', properties: ['meterDevice', 'scheduledFor'] })
@Index({ name: 'task_run_organization', properties: ['organization', 'scheduledFor', 'id'] })
@Index({
  name: 'task_run_due',
  expression: `create index "task_run_due" on "task_run" ((origin = 'on_demand') desc, priority desc, not_before) where state = 'pending'`,
})
@Index({
  name: 'task_run_meter_due',
  expression: `create index "task_run_meter_due" on "task_run" (meter_device_id) where state = 'pending'`,
})
@Index({
  name: 'task_run_session',
  expression: `create index "task_run_session" on "task_run" ("poll_session_id") where state in ('dispatched', 'running')`,
})
@Index({
  name: 'task_run_deadline',
  expression: `create index "task_run_deadline" on "task_run" ("deadline") where state = 'pending'`,
})
@Index({
  name: 'task_run_cancelling',
  expression: `create index "task_run_cancelling" on "task_run" ("id") where state in ('dispatched', 'running') and cancel_requested_at is not null`,
})
@Index({
  name: 'task_run_unsuccessful',
  expression: `create index "task_run_unsuccessful" on "task_run" ("organization_id", "scheduled_for", "amr_task_id", "error_code") where state in ('failed', 'expired', 'cancelled')`,
})
export class TaskRun {
  [PrimaryKeyProp]?: ['id', 'scheduledFor'];

  @PrimaryKey({ type: 'uuid' })
  id!: string;

  @PrimaryKey({ type: 'datetime', length: 3 })
  scheduledFor!: Date;

  /** No foreign key: a slot of a million runs would check a million times what its task already proves. */
  @ManyToOne({ entity: () => Organization, createForeignKeyConstraint: false, index: false })
  organization!: Rel<Organization>;

  @Enum({ items: () => RunOrigin, type: 'text' })
  origin!: RunOrigin;

  @Enum({ items: () => TaskRunState, type: 'text' })
  state!: TaskRunState;

  @ManyToOne({ entity: () => MeterDevice, deleteRule: 'restrict', index: false })
  meterDevice!: Rel<MeterDevice>;

  /** Empty for a direct invocation, or when the task was deleted since. */
  @ManyToOne({ entity: () => AmrTask, nullable: true, deleteRule: 'set null', index: false })
  amrTask: Rel<AmrTask> | null = null;

  @Property({ type: 'text' })
  meterExecutionType!: string;

  @Property({ type: 'text' })
  taskCall!: string;

  @Property({ type: 'json' })
  taskKwargs!: Record<string, unknown>;

  @Property({ type: 'smallint', default: 0 })
  priority: number = 0;

  @Property({ type: 'datetime', length: 3 })
  notBefore!: Date;

  @Property({ type: 'datetime', length: 3 })
  deadline!: Date;

  @Property({ type: 'integer', default: 0 })
  attempts: number = 0;

  /** Tries whose session vanished: they are not the meter's. */
  @Property({ type: 'integer', default: 0 })
  lostTries: number = 0;

  /** The session that carries, or last carried, this run. Results of any other session are of an older attempt. */
  @Property({ type: 'uuid', nullable: true })
  pollSessionId: string | null = null;

  /** Somebody wants it cancelled; it ends when its session does, or when a poller confirms. */
  @Property({ type: 'datetime', length: 3, nullable: true })
  cancelRequestedAt: Date | null = null;

  /** Where the next try goes on, in the words of the call; what was read before is kept. */
  @Property({ type: 'json', nullable: true })
  resume: Record<string, unknown> | null = null;

  @Property({ type: 'datetime', length: 3, nullable: true })
  startedAt: Date | null = null;

  @Property({ type: 'datetime', length: 3, nullable: true })
  finishedAt: Date | null = null;

  /** Read from the meter and confirmed by the broker. */
  @Property({ type: 'integer', default: 0 })
  readingCount: number = 0;

  @Property({ type: 'integer', default: 0 })
  storedCount: number = 0;

  @Property({ type: 'integer', default: 0 })
  duplicateCount: number = 0;

  /** Arrived with another value than the one stored; kept as revisions. */
  @Property({ type: 'integer', default: 0 })
  revisedCount: number = 0;

  /** Not storable; kept as dead letters. */
  @Property({ type: 'integer', default: 0 })
  rejectedCount: number = 0;

  @Property({ type: 'text', nullable: true })
  errorCode: string | null = null;

  @Property({ type: 'text', nullable: true })
  errorMessage: string | null = null;

  @Property({ type: 'json', nullable: true })
  result: Record<string, unknown> | null = null;
}
