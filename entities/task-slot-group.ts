import { Entity, ManyToOne, PrimaryKey, PrimaryKeyProp, Property, type Rel } from '@mikro-orm/core';
import { AmrTaskGroup } from './amr-task-group.js';
import { AmrTask } from './amr-task.js';

/** How the runs of a settled slot ended for the meters of one group, as the group was then. */
@Entity()
export class TaskSlotGroup {
  [PrimaryKeyProp]?: ['amrTaskGroup', 'scheduledFor', 'amrTask'];

  @ManyToOne({ entity: () => AmrTaskGroup, primary: true, deleteRule: 'cascade', index: false })
  amrTaskGroup!: Rel<AmrTaskGroup>;

  @PrimaryKey({ type: 'datetime', length: 3 })
  scheduledFor!: Date;

  @ManyToOne({ entity: () => AmrTask, primary: true, deleteRule: 'cascade', index: false })
  amrTask!: Rel<AmrTask>;

  @Property({ type: 'integer' })
  runCount!: number;

  @Property({ type: 'integer' })
  succeededCount!: number;

  @Property({ type: 'integer' })
  failedCount!: number;

  @Property({ type: 'integer' })
  expiredCount!: number;

  @Property({ type: 'integer' })
  cancelledCount!: number;
}
