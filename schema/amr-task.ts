import { Field, Int, ObjectType } from 'type-graphql';
import { AmrSchedule, CatchUpPolicy } from '../src/domain/enums.js';
import { AmrTaskGroupType } from './amr-task-group.js';
import { connectionOf } from './connection.js';
import { NodeType } from './node.js';
import { DateTime, JSONObject } from './scalars.js';
import { TaskRunConnection } from './task-run.js';
import { TaskRunSummaryType } from './task-run-summary.js';

@ObjectType('AmrTask', {
  description: 'What to read from meters, and when.',
  implements: NodeType,
  simpleResolvers: true,
})
export class AmrTaskType extends NodeType {
  @Field(() => String, { description: 'Unique in the organization.' })
  name!: string;

  @Field(() => String, { description: 'Free text; empty when none was given.' })
  description!: string;

  @Field(() => Boolean, { description: 'Whether its slots are run.' })
  isActive!: boolean;

  @Field(() => AmrSchedule, { description: 'When it is due.' })
  schedule!: AmrSchedule;

  @Field(() => Int, { description: 'A run starts no earlier than its slot plus this.' })
  runOffsetSeconds!: number;

  @Field(() => String, { description: 'How to talk to the meter, e.g. generic_lis200; see meterExecutionTypes.' })
  meterExecutionType!: string;

  @Field(() => String, { description: 'What to do there, e.g. read_archive_by_offset_seconds.' })
  taskCall!: string;

  @Field(() => JSONObject, {
    description: 'Arguments of the call, e.g. {"offset_seconds": 1000, "archive_number": 3, "control_position": 3}.',
  })
  taskKwargs!: Record<string, unknown>;

  @Field(() => CatchUpPolicy, { description: 'What happens to slots missed while no scheduler ran.' })
  catchUp!: CatchUpPolicy;

  @Field(() => Int, {
    nullable: true,
    description: 'Seconds after the earliest start after which a run is EXPIRED. Null: one period of the schedule.',
  })
  deadlineSeconds!: number | null;

  @Field(() => Int, { description: 'Among due runs a higher priority goes first.' })
  priority!: number;

  @Field(() => [AmrTaskGroupType], { description: 'Groups that the task is in.' })
  groups!: AmrTaskGroupType[];

  @Field(() => DateTime, {
    nullable: true,
    description: 'Earliest start of the next scheduled runs; null while inactive.',
  })
  nextRunAt!: Date | null;

  @Field(() => TaskRunConnection, { description: 'Runs of the task, newest first.' })
  runs!: unknown;

  @Field(() => TaskRunSummaryType, { description: 'How its scheduled runs of a period ended, or stand.' })
  runSummary!: unknown;

  @Field(() => Int, { description: 'Rises with each change: pass it as expectedVersion to change only what you read.' })
  version!: number;

  @Field(() => DateTime, { description: 'When the task was created.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'When the task was last changed.' })
  updatedAt!: Date;
}

export const AmrTaskConnection = connectionOf('AmrTask', () => AmrTaskType);

@ObjectType('AmrTaskPayload', { description: 'The task as saved.', simpleResolvers: true })
export class AmrTaskPayload {
  @Field(() => AmrTaskType, { description: 'The task as saved.' })
  amrTask!: AmrTaskType;
}
