import { Field, Int, ObjectType } from 'type-graphql';
import { AmrTaskType } from './amr-task.js';
import { connectionOf } from './connection.js';
import { MeterDeviceConnection } from './meter-device.js';
import { NodeType } from './node.js';
import { DateTime } from './scalars.js';
import { TaskRunSummaryType } from './task-run-summary.js';

@ObjectType('AmrTaskGroup', {
  description: 'Tasks that belong together; they run for every meter that is in the group.',
  implements: NodeType,
  simpleResolvers: true,
})
export class AmrTaskGroupType extends NodeType {
  @Field(() => String, { description: 'Unique in the organization.' })
  name!: string;

  @Field(() => String, { description: 'Free text; empty when none was given.' })
  description!: string;

  @Field(() => [AmrTaskType], { description: 'Tasks of the group.' })
  tasks!: AmrTaskType[];

  @Field(() => MeterDeviceConnection, { description: 'Meters in the group.' })
  meterDevices!: unknown;

  @Field(() => TaskRunSummaryType, {
    description: 'How the scheduled runs of its tasks on its meters in a period ended, or stand.',
  })
  runSummary!: unknown;

  @Field(() => Int, { description: 'Rises with each change: pass it as expectedVersion to change only what you read.' })
  version!: number;

  @Field(() => DateTime, { description: 'When the group was created.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'When its data were last changed.' })
  updatedAt!: Date;
}

export const AmrTaskGroupConnection = connectionOf('AmrTaskGroup', () => AmrTaskGroupType);

@ObjectType('AmrTaskGroupPayload', { description: 'The group as saved.', simpleResolvers: true })
export class AmrTaskGroupPayload {
  @Field(() => AmrTaskGroupType, { description: 'The group as saved.' })
  amrTaskGroup!: AmrTaskGroupType;
}
