import { Entity, Index, ManyToOne, OptionalProps, PrimaryKey, Property, type Rel } from '@mikro-orm/core';
import { v7 as uuidv7 } from 'uuid';
import { Organization } from './organization.js';

/** Who did what, when, from where. Never changed. */
@Entity()
@Index({ properties: ['organization', 'at', 'id'] })
@Index({ properties: ['organization', 'actor', 'at', 'id'] })
@Index({ properties: ['organization', 'action', 'at', 'id'] })
@Index({ properties: ['organization', 'subjectType', 'subjectId', 'at', 'id'] })
@Index({ properties: ['at'] })
export class AuditEntry {
  [OptionalProps]?: 'at';

  @PrimaryKey({ type: 'uuid' })
  id: string = uuidv7();

  @ManyToOne({ entity: () => Organization, deleteRule: 'restrict', index: false })
  organization!: Rel<Organization>;

  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()' })
  at: Date = new Date();

  /** Name of the token or user. */
  @Property({ type: 'text' })
  actor!: string;

  /** Address the request came from. */
  @Property({ type: 'text', nullable: true })
  source: string | null = null;

  /** Name of the mutation or command. */
  @Property({ type: 'text' })
  action!: string;

  @Property({ type: 'text' })
  subjectType!: string;

  @Property({ type: 'text', nullable: true })
  subjectId: string | null = null;

  /** Without secrets. */
  @Property({ type: 'json', nullable: true })
  before: unknown = null;

  @Property({ type: 'json', nullable: true })
  after: unknown = null;
}
