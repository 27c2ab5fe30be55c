import { Entity, PrimaryKey, PrimaryKeyProp, Property } from '@mikro-orm/core';

/**
 * A stored value. Partitioned by month of `measuredAt`; the primary key covers value and quality, so that a meter's year
 * is read from the index alone. Written by set-based SQL (`src/db/reading-store.ts`), never one by one.
 */
@Entity()
export class MeterReading {
  [PrimaryKeyProp]?: ['registerId', 'measuredAt'];

  /** No foreign key: checking one per row would cost a third of the ingestion rate; registers with readings are not deleted. */
  @PrimaryKey({ type: 'integer', autoincrement: false })
  registerId!: number;

  @PrimaryKey({ type: 'datetime', length: 6 })
  measuredAt!: Date;

  /** Exact, with the digits the meter sent. */
  @Property({ type: 'decimal', columnType: 'numeric', runtimeType: 'string' })
  value!: string;

  /** Bits of `src/domain/quality.ts`; 0 is good. */
  @Property({ type: 'integer', default: 0 })
  quality: number = 0;

  /** Index into `READING_ORIGIN_CODES`. */
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
