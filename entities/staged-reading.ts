import { Entity, ManyToOne, PrimaryKey, Property, Unique, type Rel } from '@mikro-orm/core';
import { Organization } from './organization.js';

/** A reading for a meter not known yet: kept for 30 days and stored when the meter is created. */
@Entity()
@Unique({ name: 'staged_reading_once', properties: ['organization', 'meter', 'series', 'measuredAt', 'value'] })
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

  @Property({ type: 'datetime', length: 3 })
  receivedAt!: Date;
}
