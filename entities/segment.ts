import { Entity, Property, Unique } from '@mikro-orm/core';
import { TenantEntity } from './base.js';

/** Shared capacity on the way to meters: a radio cell, an APN, a gateway. Empty limits mean unlimited. */
@Entity()
@Unique({ properties: ['organization', 'name'] })
export class Segment extends TenantEntity {
  @Property({ type: 'text' })
  name!: string;

  @Property({ type: 'integer', nullable: true })
  maxOpenSessions: number | null = null;

  @Property({ type: 'integer', nullable: true })
  maxNewSessionsPerSecond: number | null = null;
}
