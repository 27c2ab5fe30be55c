import { Entity, Enum, Index, ManyToOne, PrimaryKey, Property, Unique, type Rel } from '@mikro-orm/core';
import { v7 as uuidv7 } from 'uuid';
import { DeadLetterState } from '../src/domain/enums.js';
import { Organization } from './organization.js';

/** A message, or one reading of a message, that could not be processed. Kept with its reason until someone decides. */
@Entity()
@Unique({ properties: ['queue', 'digest'] })
@Index({ properties: ['organization', 'lastSeenAt'] })
@Index({ properties: ['organization', 'state', 'fingerprint'] })
@Index({ properties: ['organization', 'id'] })
@Index({
  name: 'dead_letter_redriving',
  expression: `create index "dead_letter_redriving" on "dead_letter" ("redriven_at") where state = 'redriving'`,
})
@Index({
  name: 'dead_letter_dead',
  expression: `create index "dead_letter_dead" on "dead_letter" ("queue") where state = 'dead'`,
})
@Index({
  name: 'dead_letter_closed',
  expression: 'create index "dead_letter_closed" on "dead_letter" ("closed_at") where closed_at is not null',
})
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

  /** SHA-256 of the body without secrets, before it was cut: the same message seen again is one row. */
  @Property({ type: 'blob' })
  digest!: Buffer;

  /** Without secrets. */
  @Property({ type: 'blob', lazy: true })
  body!: Buffer;

  /** Bytes of the message as it came. */
  @Property({ type: 'integer' })
  size!: number;

  /** Only the beginning of the body is kept, as it was larger than any message may be. */
  @Property({ type: 'boolean', default: false })
  cut: boolean = false;

  @Property({ type: 'integer', default: 1 })
  occurrences: number = 1;

  @Property({ type: 'integer', default: 0 })
  redrives: number = 0;

  @Enum({ items: () => DeadLetterState, default: DeadLetterState.DEAD })
  state: DeadLetterState = DeadLetterState.DEAD;

  /** Readings counted as dead-lettered on account of it, over all occurrences. */
  @Property({ type: 'integer', default: 0 })
  readingCount: number = 0;

  /** Of the message it was first filed for, where its publisher reports what it publishes. */
  @Property({ type: 'uuid', nullable: true })
  publisher: string | null = null;

  @Property({ type: 'datetime', length: 3, nullable: true })
  publishedAt: Date | null = null;

  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()' })
  firstSeenAt: Date = new Date();

  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()' })
  lastSeenAt: Date = new Date();

  /** When it was last put back into its queue. */
  @Property({ type: 'datetime', length: 3, nullable: true })
  redrivenAt: Date | null = null;

  /** When it was resolved or discarded. */
  @Property({ type: 'datetime', length: 3, nullable: true })
  closedAt: Date | null = null;
}
