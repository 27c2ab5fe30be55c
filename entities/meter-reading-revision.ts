import { Entity, PrimaryKey, Property, Unique } from '@mikro-orm/core';

/** A different value that arrived later for a stored key. Both are kept; the stored one stays current. */
@Entity()
@Unique({ properties: ['registerId', 'measuredAt', 'value'] })
export class MeterReadingRevision {
  @PrimaryKey({ type: 'bigint', autoincrement: true })
  id!: string;

  @Property({ type: 'integer' })
  registerId!: number;

  @Property({ type: 'datetime', length: 6 })
  measuredAt!: Date;

  @Property({ type: 'decimal', columnType: 'numeric', runtimeType: 'string' })
  value!: string;

  @Property({ type: 'integer', default: 0 })
  quality: number = 0;

  @Property({ type: 'smallint' })
  origin!: number;

  @Property({ type: 'datetime', length: 3 })
  receivedAt!: Date;
}
