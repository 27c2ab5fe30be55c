import { Entity, ManyToOne, PrimaryKey, PrimaryKeyProp, Property, type Rel } from '@mikro-orm/core';
import { AmrTask } from './amr-task.js';

/** A due moment of a task whose runs were made: regrouping meters or dropping old runs never reopens it. */
@Entity()
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

  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()' })
  createdAt: Date = new Date();
}
