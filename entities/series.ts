import { Entity, Enum, Property, Unique } from '@mikro-orm/core';
import { SeriesKind } from '../src/domain/enums.js';
import { TenantEntity } from './base.js';

/** What can be measured. Created by itself with kind `unknown` at the first reading of its name. */
@Entity()
@Unique({ properties: ['organization', 'name'] })
export class Series extends TenantEntity {
  /** OBIS code preferred, such as `7-0:13.26.0*101`. */
  @Property({ type: 'text' })
  name!: string;

  @Property({ type: 'text', nullable: true })
  unit: string | null = null;

  @Enum({ items: () => SeriesKind, type: 'text', default: SeriesKind.UNKNOWN })
  kind: SeriesKind = SeriesKind.UNKNOWN;

  @Property({ type: 'decimal', columnType: 'numeric', defaultRaw: '1', runtimeType: 'string' })
  multiplier: string = '1';

  @Property({ type: 'boolean', default: false })
  affectedByCurrentTransformer: boolean = false;

  @Property({ type: 'boolean', default: false })
  affectedByVoltageTransformer: boolean = false;

  @Property({ type: 'text', nullable: true })
  description: string | null = null;
}
