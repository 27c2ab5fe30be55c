import { Collection, Entity, Enum, ManyToMany, Property, Unique } from '@mikro-orm/core';
import { AmrSchedule, CatchUpPolicy } from '../src/domain/enums.js';
import { AmrTaskGroup } from './amr-task-group.js';
import { TenantEntity } from './base.js';

/** What to read from meters, and when. All times UTC. */
@Entity()
@Unique({ properties: ['organization', 'name'] })
export class AmrTask extends TenantEntity {
  @Property({ type: 'text' })
  name!: string;

  @Property({ type: 'text', default: '' })
  description: string = '';

  @Property({ type: 'boolean', default: true })
  isActive: boolean = true;

  @Enum({ items: () => AmrSchedule, type: 'text' })
  schedule!: AmrSchedule;

  /** A run starts no earlier than its slot plus this. */
  @Property({ type: 'integer', default: 0 })
  runOffsetSeconds: number = 0;

  @Property({ type: 'text' })
  meterExecutionType!: string;

  @Property({ type: 'text' })
  taskCall!: string;

  @Property({ type: 'json', defaultRaw: `'{}'` })
  taskKwargs: Record<string, unknown> = {};

  @Enum({ items: () => CatchUpPolicy, type: 'text', default: CatchUpPolicy.LATEST })
  catchUp: CatchUpPolicy = CatchUpPolicy.LATEST;

  /** Seconds after the run may start, after which it is EXPIRED. Empty: one period of the schedule. */
  @Property({ type: 'integer', nullable: true })
  deadlineSeconds: number | null = null;

  /** Higher goes first. */
  @Property({ type: 'smallint', default: 0 })
  priority: number = 0;

  /** Slots before this instant are not run: the task did not exist, was disabled, or had another schedule. */
  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()' })
  activeSince: Date = new Date();

  @ManyToMany({ entity: () => AmrTaskGroup, mappedBy: 'tasks' })
  groups = new Collection<AmrTaskGroup>(this);
}
