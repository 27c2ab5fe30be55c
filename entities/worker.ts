import { Entity, PrimaryKey, Property } from '@mikro-orm/core';

/** A worker process as it last reported itself. Workers serve all organizations. */
@Entity()
export class Worker {
  /** Made anew at each start of a process. */
  @PrimaryKey({ type: 'uuid' })
  id!: string;

  /** `poller` or `ingester`. */
  @Property({ type: 'text' })
  kind!: string;

  @Property({ type: 'text' })
  host!: string;

  @Property({ type: 'integer' })
  pid!: number;

  /** Of the product. */
  @Property({ type: 'text' })
  version!: string;

  @Property({ type: 'text[]' })
  queues!: string[];

  /** Sessions it may hold open at once, over all its queues. */
  @Property({ type: 'integer' })
  maxSessions!: number;

  @Property({ type: 'integer' })
  openSessions!: number;

  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()' })
  startedAt: Date = new Date();

  /** By the database's clock, when its last report was booked. */
  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()' })
  lastSeenAt: Date = new Date();

  /** Set when it said goodbye. */
  @Property({ type: 'datetime', length: 3, nullable: true })
  stoppedAt: Date | null = null;

  /** What an ingester says of its steps: `IngestStatus` as JSON. */
  @Property({ type: 'json', nullable: true })
  status: unknown = null;
}
