import { ArgsType, Field, Int, ObjectType } from 'type-graphql';
import { BigIntScalar, DateTime } from './scalars.js';

@ArgsType()
export class LossPeriodArgs {
  @Field(() => DateTime, { description: 'Minutes that begin at this time or later.' })
  from!: Date;

  @Field(() => DateTime, { description: 'Minutes that begin before this time; at most 40 days after from.' })
  to!: Date;
}

@ArgsType()
export class LossMinutesArgs extends LossPeriodArgs {
  @Field(() => Int, {
    nullable: true,
    description: 'Most minutes to return: 1 to 1440. Default 60. Read on from the last one’s to.',
  })
  first?: number | null;
}

@ObjectType('LossAccount', {
  description:
    'What became of the readings published in a period, by the minute of publishing: published = stored + duplicate + revised + staged + deadLettered + discarded + inFlight.',
  simpleResolvers: true,
})
export class LossAccountType {
  @Field(() => DateTime, { description: 'Where the period begins.' })
  from!: Date;

  @Field(() => DateTime, { description: 'Where the period ends; not part of it.' })
  to!: Date;

  @Field(() => BigIntScalar, {
    description:
      'Readings that the broker confirmed to publishers that report. Of a publisher that has not said its last count, at least the outcomes.',
  })
  published!: string;

  @Field(() => BigIntScalar, { description: 'Stored as new.' })
  stored!: string;

  @Field(() => BigIntScalar, { description: 'Stored before with the same value.' })
  duplicate!: string;

  @Field(() => BigIntScalar, { description: 'Stored before with another value: both are kept.' })
  revised!: string;

  @Field(() => BigIntScalar, { description: 'Waiting for their meter to be created.' })
  staged!: string;

  @Field(() => BigIntScalar, { description: 'Set aside as dead letters.' })
  deadLettered!: string;

  @Field(() => BigIntScalar, { description: 'Dead letters and staged readings given up, by a person or by age.' })
  discarded!: string;

  @Field(() => BigIntScalar, {
    description: 'Published and without an outcome. Negative: more came out than was published.',
  })
  inFlight!: string;

  @Field(() => BigIntScalar, {
    description: 'Outcomes of publishers that report no counts. In none of the other columns.',
  })
  unreported!: string;

  @Field(() => Boolean, {
    description: 'Whether inFlight is 0, for each minute and publisher: a loss here does not hide a surplus there.',
  })
  balanced!: boolean;
}
