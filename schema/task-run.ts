import { Field, Int, ObjectType } from 'type-graphql';
import { RunOrigin, TaskRunState } from '../src/domain/enums.js';
import { AmrTaskType } from './amr-task.js';
import { connectionOf } from './connection.js';
import { MeterDeviceType } from './meter-device.js';
import { NodeType } from './node.js';
import { DateTime, JSONObject } from './scalars.js';

@ObjectType('TaskRun', {
  description: 'One task call on one meter, for one slot or one invocation.',
  implements: NodeType,
  simpleResolvers: true,
})
export class TaskRunType extends NodeType {
  /** Not exposed: the relations are resolved from these. */
  meterDeviceId!: string;
  amrTaskId!: string | null;

  @Field(() => RunOrigin, { description: 'What made the run.' })
  origin!: RunOrigin;

  @Field(() => TaskRunState, { description: 'Where it stands.' })
  state!: TaskRunState;

  @Field(() => MeterDeviceType, { description: 'The meter it is carried out on.' })
  meterDevice!: MeterDeviceType;

  @Field(() => AmrTaskType, {
    nullable: true,
    description: 'Its task; null for a direct invocation or a deleted task.',
  })
  amrTask!: AmrTaskType | null;

  @Field(() => String, { description: 'How to talk to the meter.' })
  meterExecutionType!: string;

  @Field(() => String, { description: 'What to do there.' })
  taskCall!: string;

  @Field(() => JSONObject, { description: 'Arguments of the call.' })
  taskKwargs!: Record<string, unknown>;

  @Field(() => DateTime, { description: 'The slot, or the time of the invocation.' })
  scheduledFor!: Date;

  @Field(() => DateTime, { description: 'It does not start before; moves on when it is tried again.' })
  notBefore!: Date;

  @Field(() => DateTime, { nullable: true, description: 'It does not start after.' })
  deadline!: Date | null;

  @Field(() => Int, { description: 'How often it was handed to the pollers.' })
  attempts!: number;

  @Field(() => DateTime, {
    nullable: true,
    description: 'When somebody first asked to cancel it. Until the poller confirms, the state stays what it is.',
  })
  cancelRequestedAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When a poller began with its session.' })
  startedAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it reached its final state.' })
  finishedAt!: Date | null;

  @Field(() => Int, { description: 'Readings that were read from the meter, over all tries.' })
  readingCount!: number;

  @Field(() => Int, { description: 'Of these stored, once the ingester has them.' })
  storedCount!: number;

  @Field(() => Int, { description: 'Of these already known.' })
  duplicateCount!: number;

  @Field(() => Int, { description: 'Of these known with another value, kept as revisions.' })
  revisedCount!: number;

  @Field(() => Int, { description: 'Of these not storable, kept as dead letters.' })
  rejectedCount!: number;

  @Field(() => String, { nullable: true, description: 'Why the last try failed, e.g. TIMEOUT.' })
  errorCode!: string | null;

  @Field(() => String, { nullable: true, description: 'What was attempted and what went wrong.' })
  errorMessage!: string | null;

  @Field(() => JSONObject, { nullable: true, description: 'Answer of a call that returns a value.' })
  result!: Record<string, unknown> | null;
}

export const TaskRunConnection = connectionOf('TaskRun', () => TaskRunType);

@ObjectType('TaskRunPayload', { description: 'The run as it stands.', simpleResolvers: true })
export class TaskRunPayload {
  @Field(() => TaskRunType, { description: 'The run as it stands.' })
  taskRun!: TaskRunType;
}

@ObjectType('TaskRunsPayload', { description: 'The runs that one invocation made.', simpleResolvers: true })
export class TaskRunsPayload {
  @Field(() => Int, { description: 'How many runs were made.' })
  count!: number;

  @Field(() => DateTime, {
    description:
      'Of all of these runs. To read on later pass it to the query taskRuns as filter.from, a millisecond more as filter.to, and endCursor of the last page as after.',
  })
  scheduledFor!: Date;

  @Field(() => TaskRunConnection, { description: 'These runs and no other, newest first.' })
  taskRuns!: unknown;
}
