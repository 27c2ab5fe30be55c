import { Entity, Index, ManyToOne, PrimaryKey, Property, Unique, type Rel } from '@mikro-orm/core';
import { v7 as uuidv7 } from 'uuid';
import { Organization } from './organization.js';

/** A message, or one reading of a message, that could not be processed. Kept with its reason until someone decides. */
@Entity()
@Unique({ properties: ['queue', 'digest'] })
@Index({ properties: ['organization', 'lastSeenAt'] })
export class DeadLetter {
  @PrimaryKey({ type: 'uuid' })
  id: string = uuidv7();

  @ManyToOne({ entity: () => Organization, deleteRule: 'restrict', index: false })
  organization!: Rel<Organization>;

  @Property({ type: 'text' })
  queue!: string;

  /** What was wrong and where, such as `readings.3.timestamp: carries no offset`. */
  @Property({ type: 'text' })
  reason!: string;

  /** Same for failures of one kind: queue and reason without the parts that vary. */
  @Property({ type: 'text' })
  fingerprint!: string;

  /** SHA-256 of the body: the same message seen again is one row. */
  @Property({ type: 'blob' })
  digest!: Buffer;

  @Property({ type: 'blob', lazy: true })
  body!: Buffer;

  @Property({ type: 'integer', default: 1 })
  occurrences: number = 1;

  @Property({ type: 'integer', default: 0 })
  redrives: number = 0;

  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()' })
  firstSeenAt: Date = new Date();

  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()' })
  lastSeenAt: Date = new Date();
}
