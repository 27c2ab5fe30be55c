import { Collection, Entity, Enum, Index, ManyToMany, ManyToOne, Property, Unique, type Rel } from '@mikro-orm/core';
import { MeterLifeCycle } from '../src/domain/enums.js';
import { AmrTask } from './amr-task.js';
import { AmrTaskGroup } from './amr-task-group.js';
import { TenantEntity } from './base.js';
import { NetworkInterface } from './network-interface.js';

/** A physical meter that can be polled or that pushes. */
@Entity()
@Unique({ properties: ['organization', 'name'] })
@Index({ properties: ['networkInterface'] })
@Index({ properties: ['organization', 'serialNumber'] })
@Index({ properties: ['organization', 'externalReference'] })
@Index({ properties: ['organization', 'lifeCycle', 'id'] })
@Index({ properties: ['organization', 'id'] })
@Index({ properties: ['organization', 'updatedAt', 'id'] })
@Index({
  name: 'meter_device_name_prefix',
  expression:
    'create index "meter_device_name_prefix" on "meter_device" ("organization_id", lower("name") text_pattern_ops)',
})
@Index({
  name: 'meter_device_credentials_rejected',
  expression: `create index "meter_device_credentials_rejected" on "meter_device" ("organization_id", "id") where credentials_rejected_at is not null`,
})
export class MeterDevice extends TenantEntity {
  @Property({ type: 'text' })
  name!: string;

  /** Printed on the device by its maker; checked in each session when set. */
  @Property({ type: 'text', nullable: true })
  serialNumber: string | null = null;

  @Property({ type: 'text', nullable: true })
  manufacturer: string | null = null;

  @Property({ type: 'text', nullable: true })
  model: string | null = null;

  /** The meter's id in the utility's own system. */
  @Property({ type: 'text', nullable: true })
  externalReference: string | null = null;

  /** Address on a shared line, in the protocol's own form. */
  @Property({ type: 'text', nullable: true })
  protocolAddress: string | null = null;

  @Enum({ items: () => MeterLifeCycle, type: 'text', default: MeterLifeCycle.NEW })
  lifeCycle: MeterLifeCycle = MeterLifeCycle.NEW;

  @Property({ type: 'text', default: 'UTC' })
  timeZone: string = 'UTC';

  @Property({ type: 'decimal', columnType: 'numeric', nullable: true, runtimeType: 'string' })
  currentTransformerRatio: string | null = null;

  @Property({ type: 'decimal', columnType: 'numeric', nullable: true, runtimeType: 'string' })
  voltageTransformerRatio: string | null = null;

  @ManyToOne({ entity: () => NetworkInterface, nullable: true, deleteRule: 'restrict' })
  networkInterface: Rel<NetworkInterface> | null = null;

  /** Sealed; never part of a GraphQL type, never loaded unless asked for. */
  @Property({ type: 'blob', nullable: true, lazy: true, hidden: true })
  credentials: Buffer | null = null;

  /** The meter refused its credentials then: nothing is tried until somebody clears it, as meters lock out. */
  @Property({ type: 'datetime', length: 3, nullable: true })
  credentialsRejectedAt: Date | null = null;

  /** Meter clock minus ours, as last measured. */
  @Property({ type: 'double', nullable: true })
  clockDeviationSeconds: number | null = null;

  /** Groups whose tasks run for this meter. */
  @ManyToMany({ entity: () => AmrTaskGroup, inversedBy: 'meterDevices', pivotTable: 'meter_device_task_groups' })
  taskGroups = new Collection<AmrTaskGroup>(this);

  /** Tasks that run for this meter only. */
  @ManyToMany({ entity: () => AmrTask, pivotTable: 'meter_device_meter_tasks' })
  meterTasks = new Collection<AmrTask>(this);
}
