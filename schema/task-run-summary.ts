import { Field, Float, Int, ObjectType } from 'type-graphql';

@ObjectType('TaskRunErrorCount', { description: 'Runs that ended with one error code.', simpleResolvers: true })
export class TaskRunErrorCountType {
  @Field(() => String, { description: 'Why the last try failed, e.g. TIMEOUT.' })
  code!: string;

  @Field(() => Int, { description: 'Runs that ended so.' })
  count!: number;
}

// Counts are Float: a year of quarter-hours of a hundred thousand meters is beyond Int.
@ObjectType('TaskRunSummary', {
  description:
    'Scheduled runs of the slots of a period by state. Direct invocations are not part of it. Slots whose runs have all ended were counted then; the others are counted now.',
  simpleResolvers: true,
})
export class TaskRunSummaryType {
  @Field(() => Float, { description: 'All runs; a whole number, as are the other counts.' })
  runs!: number;

  @Field(() => Float, { description: 'Runs that wait for their time, a free interface or their next try.' })
  pending!: number;

  @Field(() => Float, { description: 'Runs handed to the pollers.' })
  dispatched!: number;

  @Field(() => Float, { description: 'Runs that a poller is at.' })
  running!: number;

  @Field(() => Float, { description: 'Runs that succeeded.' })
  succeeded!: number;

  @Field(() => Float, { description: 'Runs that were given up.' })
  failed!: number;

  @Field(() => Float, { description: 'Runs whose deadline passed.' })
  expired!: number;

  @Field(() => Float, { description: 'Runs that were withdrawn.' })
  cancelled!: number;

  @Field(() => Float, {
    nullable: true,
    description:
      'succeeded / (succeeded + failed + expired), from 0 to 1. Open and cancelled runs do not count. Null while nothing has ended.',
  })
  successRate!: number | null;

  @Field(() => [TaskRunErrorCountType], {
    description:
      'Failed and expired runs by error code, most frequent first; of more than 100,000 the newest 100,000. For a group by the tasks and meters that it holds now.',
  })
  errors!: unknown;
}
