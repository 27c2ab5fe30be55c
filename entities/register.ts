import { Entity, ManyToOne, PrimaryKey, Unique, type Rel } from '@mikro-orm/core';
import { MeterDevice } from './meter-device.js';
import { Series } from './series.js';

/** One series on one meter. Its small id is the storage key of readings; created on the first reading. */
@Entity()
@Unique({ properties: ['meterDevice', 'series'] })
export class Register {
  @PrimaryKey({ type: 'integer', autoincrement: true })
  id!: number;

  @ManyToOne({ entity: () => MeterDevice, deleteRule: 'restrict' })
  meterDevice!: Rel<MeterDevice>;

  @ManyToOne({ entity: () => Series, deleteRule: 'restrict' })
  series!: Rel<Series>;
}
