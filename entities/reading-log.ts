import { Entity, Index, ManyToOne, PrimaryKey, PrimaryKeyProp, Property, type Rel } from '@mikro-orm/core';
import { Organization } from './organization.js';

/**
 * One row per organization and committed ingest batch: the outbox of readings and the resume log of subscriptions.
 * `position` is given after commit by the one leading relay, so that positions rise in an order in which nothing
 * commits late. Partitioned by day of `committedAt`, kept 7 days.
 */
@Entity()
@Index({
  name: 'reading_log_unnumbered',
  expression: 'create index "reading_log_unnumbered" on "reading_log" ("id") where position is null',
})
@Index({ properties: ['position'] })
export class ReadingLog {
  [PrimaryKeyProp]?: ['id', 'committedAt'];

  @PrimaryKey({ type: 'bigint', autoincrement: false, defaultRaw: `nextval('reading_log_id_seq'::regclass)` })
  id!: string;

  /** When the row was written, at the end of the transaction: the commit follows at once. */
  @PrimaryKey({ type: 'datetime', length: 3, defaultRaw: 'clock_timestamp()' })
  committedAt!: Date;

  @ManyToOne({ entity: () => Organization, deleteRule: 'restrict', index: false })
  organization!: Rel<Organization>;

  @Property({ type: 'bigint', nullable: true })
  position: string | null = null;

  @Property({ type: 'integer' })
  readingCount!: number;

  /** JSON of `CommittedBatch`. Text, not jsonb: it is only ever passed on. */
  @Property({ type: 'text' })
  body!: string;
}
