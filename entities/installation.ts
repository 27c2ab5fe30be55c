import { Check, Entity, ManyToOne, OptionalProps, PrimaryKey, Property, Unique, type Rel } from '@mikro-orm/core';
import { v7 as uuidv7 } from 'uuid';
import { MeterDevice } from './meter-device.js';
import { MeteringPoint } from './metering-point.js';
import { Organization } from './organization.js';

/** Which meter was at a metering point, from and to. A meter is at one place at a time. */
@Entity()
@Unique({ properties: ['meterDevice', 'installedAt'] })
@Check({ name: 'installation_period', expression: 'removed_at is null or removed_at > installed_at' })
export class Installation {
  [OptionalProps]?: 'createdAt' | 'updatedAt' | 'version';

  @PrimaryKey({ type: 'uuid' })
  id: string = uuidv7();

  @ManyToOne({ entity: () => Organization, deleteRule: 'restrict', index: false })
  organization!: Rel<Organization>;

  @ManyToOne({ entity: () => MeteringPoint, deleteRule: 'restrict', index: true })
  meteringPoint!: Rel<MeteringPoint>;

  @ManyToOne({ entity: () => MeterDevice, deleteRule: 'restrict', index: false })
  meterDevice!: Rel<MeterDevice>;

  /** Readings from this instant on are of this place. */
  @Property({ type: 'datetime', length: 3 })
  installedAt!: Date;

  /** Excluded; null while the meter is there. */
  @Property({ type: 'datetime', length: 3, nullable: true })
  removedAt: Date | null = null;

  /** What the meter showed when it was installed. */
  @Property({ type: 'decimal', columnType: 'numeric', runtimeType: 'string', nullable: true })
  startIndex: string | null = null;

  /** What the meter showed when it was removed. */
  @Property({ type: 'decimal', columnType: 'numeric', runtimeType: 'string', nullable: true })
  endIndex: string | null = null;

  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()' })
  createdAt: Date = new Date();

  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()', onUpdate: () => new Date() })
  updatedAt: Date = new Date();

  @Property({ type: 'integer', version: true, default: 1 })
  version!: number;
}
