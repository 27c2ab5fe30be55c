import { Entity, Enum, Index, ManyToOne, PrimaryKey, Property, type Rel } from '@mikro-orm/core';
import { MeterDevice } from './meter-device.js';
import { NetworkInterface } from './network-interface.js';
import { Organization } from './organization.js';

export enum PollSessionState {
  /** Handed to the broker; no poller has said that it began. */
  DISPATCHED = 'dispatched',
  RUNNING = 'running',
  /** Nobody knows what became of it. The interface stays reserved until the lease ends: the first poller may still be at the meter. */
  LOST = 'lost',
  CLOSED = 'closed',
}

/** The due runs of one meter bundled into one connection. One open session per interface. */
@Entity()
// The dispatcher already claims idle interfaces only; this index is the second wall.
@Index({
  name: 'poll_session_one_open_per_interface',
  expression:
    'create unique index "poll_session_one_open_per_interface" on "poll_session" ("network_interface_id") where closed_at is null',
})
@Index({
  name: 'poll_session_lease',
  expression: 'create index "poll_session_lease" on "poll_session" ("lease_until") where closed_at is null',
})
@Index({
  name: 'poll_session_closed',
  expression: 'create index "poll_session_closed" on "poll_session" ("closed_at") where closed_at is not null',
})
export class PollSession {
  @PrimaryKey({ type: 'uuid' })
  id!: string;

  @ManyToOne({ entity: () => Organization, deleteRule: 'restrict' })
  organization!: Rel<Organization>;

  @ManyToOne({ entity: () => NetworkInterface, deleteRule: 'restrict', index: false })
  networkInterface!: Rel<NetworkInterface>;

  @ManyToOne({ entity: () => MeterDevice, deleteRule: 'restrict' })
  meterDevice!: Rel<MeterDevice>;

  @Property({ type: 'text' })
  queue!: string;

  @Property({ type: 'integer' })
  attempt!: number;

  @Enum({ items: () => PollSessionState, type: 'text' })
  state!: PollSessionState;

  /** Until then nobody else is sent to this interface. */
  @Property({ type: 'datetime', length: 3 })
  leaseUntil!: Date;

  @Property({ type: 'text', nullable: true })
  poller: string | null = null;

  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()' })
  createdAt: Date = new Date();

  @Property({ type: 'datetime', length: 3, nullable: true })
  startedAt: Date | null = null;

  @Property({ type: 'datetime', length: 3, nullable: true })
  closedAt: Date | null = null;
}
