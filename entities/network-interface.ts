import { Entity, Enum, Index, ManyToOne, Property, Unique, type Rel } from '@mikro-orm/core';
import { NetworkInterfaceKind } from '../src/domain/enums.js';
import { TenantEntity } from './base.js';
import { Segment } from './segment.js';

/** How meters are reached. One session at a time; one interface may serve many meters (a gateway, a bus). */
@Entity()
@Unique({ properties: ['organization', 'name'] })
@Index({ properties: ['segment'] })
@Index({
  name: 'network_interface_name_prefix',
  expression:
    'create index "network_interface_name_prefix" on "network_interface" ("organization_id", lower("name") text_pattern_ops)',
})
export class NetworkInterface extends TenantEntity {
  @Property({ type: 'text' })
  name!: string;

  @Enum({ items: () => NetworkInterfaceKind, type: 'text' })
  kind!: NetworkInterfaceKind;

  @Property({ type: 'text', nullable: true })
  host: string | null = null;

  @Property({ type: 'integer', nullable: true })
  port: number | null = null;

  @Property({ type: 'text', nullable: true })
  serialPath: string | null = null;

  @Property({ type: 'integer', nullable: true })
  baudRate: number | null = null;

  @ManyToOne({ entity: () => Segment, nullable: true, deleteRule: 'restrict' })
  segment: Rel<Segment> | null = null;
}
