import { Entity, Index, ManyToOne, PrimaryKey, PrimaryKeyProp, Property, type Rel } from '@mikro-orm/core';
import { Organization } from './organization.js';

/** Remembers which run an `idempotencyKey` made, so that a repeated invocation returns it. */
@Entity()
@Index({ properties: ['createdAt'] })
export class InvocationKey {
  [PrimaryKeyProp]?: ['organization', 'key'];

  @ManyToOne({ entity: () => Organization, primary: true, deleteRule: 'restrict' })
  organization!: Rel<Organization>;

  @PrimaryKey({ type: 'text' })
  key!: string;

  @Property({ type: 'uuid' })
  taskRunId!: string;

  /** What was invoked, where it was a group: the id of the run is then of none, and carries the moment of all its runs. */
  @Property({ type: 'text', nullable: true })
  groupRequest: string | null = null;

  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()' })
  createdAt: Date = new Date();
}
