import { Field, Float, ID, Int, ObjectType } from 'type-graphql';
import { IngestStep, IngestStrategy, WorkerState } from '../src/domain/enums.js';
import { BigIntScalar, DateTime } from './scalars.js';

@ObjectType('StepError', { description: 'A failure of a step.', simpleResolvers: true })
export class StepErrorType {
  @Field(() => String, { description: 'What was wrong; at most 500 characters.' })
  message!: string;

  @Field(() => DateTime, { description: 'When it happened, by the clock of the ingester.' })
  at!: Date;
}

@ObjectType('IngestError', { description: 'A failure of a step, and where it happened.', simpleResolvers: true })
export class IngestErrorType extends StepErrorType {
  @Field(() => IngestStep, { description: 'The step that failed.' })
  step!: IngestStep;

  @Field(() => ID, { description: 'Id of the ingester, as in ingesters.' })
  ingester!: string;
}

@ObjectType('IngesterStep', {
  description: 'How one step of an ingester has been doing since the ingester began to take messages.',
  simpleResolvers: true,
})
export class IngesterStepType {
  @Field(() => IngestStep, { description: 'Which step.' })
  step!: IngestStep;

  @Field(() => BigIntScalar, { description: 'Batches it was done for.' })
  batches!: number;

  @Field(() => BigIntScalar, { description: 'Readings it was done for; of DISPATCH those that were stored.' })
  readings!: number;

  @Field(() => BigIntScalar, {
    description: 'Times it failed. Each batch is tried again, or halved to find the culprit.',
  })
  errors!: number;

  @Field(() => Int, { description: 'Batches that were within the step at the time of the report.' })
  inFlight!: number;

  @Field(() => Float, { nullable: true, description: 'Median time for a batch, in milliseconds, of the last 512.' })
  p50Ms!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'Time that 95 % of the last 512 batches kept below, in milliseconds.',
  })
  p95Ms!: number | null;

  @Field(() => Float, {
    description: 'Time spent in the step by all batches, in milliseconds; side by side counts twice.',
  })
  totalMs!: number;

  @Field(() => Float, { nullable: true, description: 'Its share of the time spent in all steps, 0 to 1.' })
  shareOfTime!: number | null;

  @Field(() => StepErrorType, { nullable: true, description: 'The last time it failed.' })
  lastError!: StepErrorType | null;
}

@ObjectType('Ingester', {
  description: 'A process that stores readings, as it last reported itself.',
  simpleResolvers: true,
})
export class IngesterType {
  @Field(() => ID, { description: 'Made anew at each start of the process; the same as in workers.' })
  id!: string;

  @Field(() => String, { description: 'Name of its machine.' })
  host!: string;

  @Field(() => Int, { description: 'Its process id there.' })
  pid!: number;

  @Field(() => String, { description: 'Version of the product it runs.' })
  version!: string;

  @Field(() => WorkerState, { description: 'Whether it is there.' })
  state!: WorkerState;

  @Field(() => Boolean, {
    description: 'Whether it takes messages. Of SEQUENTIAL ingesters one does, the others stand by.',
  })
  isWorking!: boolean;

  @Field(() => IngestStrategy, { nullable: true, description: 'How it orders its work.' })
  strategy!: IngestStrategy | null;

  @Field(() => DateTime, { description: 'When its first report was booked.' })
  startedAt!: Date;

  @Field(() => DateTime, { description: 'When its last report was booked; it reports every 5 seconds.' })
  lastSeenAt!: Date;

  @Field(() => Int, {
    description: 'Readings it stored per second between its last two reports; 0 unless it is active.',
  })
  readingsPerSecond!: number;

  @Field(() => [IngesterStepType], {
    description:
      'Its steps in the order of the graph, as it reported them last; none where it runs a version that reports otherwise.',
  })
  steps!: IngesterStepType[];
}

@ObjectType('Ingestion', {
  description:
    'The pipeline of readings from the queue to subscribers, as its ingesters reported it within the last 5 seconds.',
  simpleResolvers: true,
})
export class IngestionType {
  @Field(() => BigIntScalar, {
    nullable: true,
    description: 'Messages that wait in readings.new, by the newest report; null where no active ingester knows.',
  })
  backlog!: number | null;

  @Field(() => Int, { description: 'Dead letters of readings.new that wait for a decision, counted up to 10,000.' })
  deadLetterBacklog!: number;

  @Field(() => IngestStrategy, { nullable: true, description: 'By the newest report of an active ingester.' })
  strategy!: IngestStrategy | null;

  @Field(() => Int, { description: 'Readings stored per second, by all active ingesters.' })
  readingsPerSecond!: number;

  @Field(() => IngestStep, {
    nullable: true,
    description: 'The step that active ingesters spent most time in since they began; null before they did anything.',
  })
  slowestStep!: IngestStep | null;

  @Field(() => IngestErrorType, {
    nullable: true,
    description: 'The last failure of a step, of any ingester in the list.',
  })
  lastError!: IngestErrorType | null;

  @Field(() => Float, {
    description: 'Age of the oldest committed batch that subscribers were not told of; 0 without one.',
  })
  relayLagSeconds!: number;

  @Field(() => BigIntScalar, { description: 'Such batches; those without a number yet are counted up to 10,000.' })
  relayLagBatches!: number;

  @Field(() => [IngesterType], {
    description: 'Those that are active, then the silent and the stopped ones, newest first; at most 200.',
  })
  ingesters!: IngesterType[];
}
