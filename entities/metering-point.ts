import { Entity, Index, Property, Unique } from '@mikro-orm/core';
import { TenantEntity } from './base.js';

/** The place that is billed. Meters come and go; it stays. */
@Entity()
@Unique({ properties: ['organization', 'name'] })
@Index({ properties: ['organization', 'customerReference'] })
@Index({ properties: ['organization', 'id'] })
@Index({ properties: ['organization', 'updatedAt', 'id'] })
@Index({
  name: 'metering_point_name_prefix',
  expression:
    'create index "metering_point_name_prefix" on "metering_point" ("organization_id", lower("name") text_pattern_ops)',
})
export class MeteringPoint extends TenantEntity {
  @Property({ type: 'text' })
  name!: string;

  @Property({ type: 'text', default: '' })
  description: string = '';

  /** Of the customer in the billing system. */
  @Property({ type: 'text', nullable: true })
  customerReference: string | null = null;

  /** Of the tariff in the billing system. */
  @Property({ type: 'text', nullable: true })
  tariffReference: string | null = null;
}
