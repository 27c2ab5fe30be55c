import { Collection, Entity, ManyToMany, Property, Unique } from '@mikro-orm/core';
import { AmrTask } from './amr-task.js';
import { TenantEntity } from './base.js';
import { MeterDevice } from './meter-device.js';

/** Tasks that belong together; they run for every meter that is in the group. */
@Entity()
@Unique({ properties: ['organization', 'name'] })
export class AmrTaskGroup extends TenantEntity {
  @Property({ type: 'text' })
  name!: string;

  @Property({ type: 'text', default: '' })
  description: string = '';

  @ManyToMany({ entity: () => AmrTask, inversedBy: 'groups', pivotTable: 'amr_task_group_tasks' })
  tasks = new Collection<AmrTask>(this);

  @ManyToMany({ entity: () => MeterDevice, mappedBy: 'taskGroups' })
  meterDevices = new Collection<MeterDevice>(this);
}
