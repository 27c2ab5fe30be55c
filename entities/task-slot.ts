import { Entity, Index, ManyToOne, PrimaryKey, PrimaryKeyProp, Property, type Rel } from '@mikro-orm/core';
import { AmrTask } from './amr-task.js';

/** A due moment of a task whose runs were made: regrouping meters or dropping old runs never reopens it. */
@Entity()
@Index({
  name: 'task_slot_unsettled',
  expression: 'create index "task_slot_unsettled" on "task_slot" ("scheduled_for") where settled_at is null',
})
@Index({
  name: 'task_slot_settled',
  expression: 'create index "task_slot_settled" on "task_slot" ("settled_at") where settled_at is not null',
})
export class TaskSlot {
  [PrimaryKeyProp]?: ['amrTask', 'scheduledFor'];

  @ManyToOne({ entity: () => AmrTask, primary: true, deleteRule: 'cascade' })
  amrTask!: Rel<AmrTask>;

  @PrimaryKey({ type: 'datetime', length: 3 })
  scheduledFor!: Date;

  /** Runs made; 0 for a slot skipped after downtime or a task without meters. */
  @Property({ type: 'integer' })
  runCount!: number;

  /** True when `catchUp` left this slot out. */
  @Property({ type: 'boolean', default: false })
  skipped: boolean = false;

  /** The later slot whose run reads this one's time too. */
  @Property({ type: 'datetime', length: 3, nullable: true })
  mergedInto: Date | null = null;

  /** When all its runs had ended and were counted below; the counts mean nothing before. */
  @Property({ type: 'datetime', length: 3, nullable: true })
  settledAt: Date | null = null;

  @Property({ type: 'integer', default: 0 })
  succeededCount: number = 0;

  @Property({ type: 'integer', default: 0 })
  failedCount: number = 0;

  @Property({ type: 'integer', default: 0 })
  expiredCount: number = 0;

  @Property({ type: 'integer', default: 0 })
  cancelledCount: number = 0;

  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()' })
  createdAt: Date = new Date();
}
