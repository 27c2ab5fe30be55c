import { Entity, OneToOne, PrimaryKeyProp, Property, type Rel } from '@mikro-orm/core';
import { NetworkInterface } from './network-interface.js';

/** Sessions in a row that did not reach a network interface. A row exists from the first; a session that reaches it removes the row. */
@Entity()
export class InterfaceBreaker {
  [PrimaryKeyProp]?: 'networkInterface';

  @OneToOne({ entity: () => NetworkInterface, primary: true, deleteRule: 'cascade', unique: false })
  networkInterface!: Rel<NetworkInterface>;

  /** Consecutive. */
  @Property({ type: 'integer' })
  failures!: number;

  /** Scheduled sessions wait until then; the next one probes. Empty while the failures are too few. */
  @Property({ type: 'datetime', length: 3, nullable: true })
  openUntil: Date | null = null;

  /** What the last session said. */
  @Property({ type: 'text' })
  errorMessage!: string;

  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()' })
  changedAt: Date = new Date();
}
