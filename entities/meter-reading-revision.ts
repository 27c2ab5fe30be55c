import { Entity, Index, PrimaryKey, Property, Unique } from '@mikro-orm/core';

/** A different value for a stored key, which is not the current one by the policy of the organization. Both are kept. */
@Entity()
@Unique({ properties: ['registerId', 'measuredAt', 'value'] })
@Index({ properties: ['measuredAt'] })
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

  /** As the meter sent it, where transformers or a multiplier make `value` another; null where it is `value`. */
  @Property({ type: 'decimal', columnType: 'numeric', runtimeType: 'string', nullable: true })
  rawValue: string | null = null;

  /** When it was taken from the meter, as its message says. With the message's id it decides which of two values is the first. */
  @Property({ type: 'datetime', length: 3, nullable: true })
  collectedAt: Date | null = null;

  @Property({ type: 'uuid', nullable: true })
  messageId: string | null = null;
}
