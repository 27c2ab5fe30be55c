import { Entity, Index, ManyToOne, PrimaryKey, Property, type Rel } from '@mikro-orm/core';
import { Organization } from './organization.js';

/** A reading for a meter not known yet: kept for 30 days and stored when the meter is created. */
@Entity()
@Index({ properties: ['organization', 'id'] })
export class StagedReading {
  @PrimaryKey({ type: 'bigint', autoincrement: true })
  id!: string;

  @ManyToOne({ entity: () => Organization, deleteRule: 'restrict', index: false })
  organization!: Rel<Organization>;

  /** Name or id by which the message called the meter. */
  @Property({ type: 'text' })
  meter!: string;

  @Property({ type: 'text' })
  series!: string;

  @Property({ type: 'datetime', length: 6 })
  measuredAt!: Date;

  @Property({ type: 'decimal', columnType: 'numeric', runtimeType: 'string' })
  value!: string;

  @Property({ type: 'text', nullable: true })
  unit: string | null = null;

  @Property({ type: 'integer', default: 0 })
  quality: number = 0;

  @Property({ type: 'smallint' })
  origin!: number;

  @Index()
  @Property({ type: 'datetime', length: 3 })
  receivedAt!: Date;

  /** When it was taken from the meter, as its message says. With the message's id it decides which of two values is the first. */
  @Property({ type: 'datetime', length: 3, nullable: true })
  collectedAt: Date | null = null;

  @Property({ type: 'uuid', nullable: true })
  messageId: string | null = null;

  /** Who published it, where the publisher reports what it publishes: its account is moved on when the reading is stored. */
  @Property({ type: 'uuid', nullable: true })
  publisher: string | null = null;

  @Property({ type: 'datetime', length: 3, nullable: true })
  publishedAt: Date | null = null;
}
