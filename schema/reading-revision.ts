import { ArgsType, Field, ID, ObjectType } from 'type-graphql';
import { ReadingOrigin } from '../src/domain/enums.js';
import { connectionOf, PageArgs } from './connection.js';
import { MeterDeviceType } from './meter-device.js';
import { DateTime, Decimal } from './scalars.js';

/** A value with where it comes from. Not part of the schema itself. */
@ObjectType()
class ValueFields {
  @Field(() => Decimal, { description: 'Exact, in the unit of the series.' })
  value!: string;

  @Field(() => Decimal, {
    nullable: true,
    description: 'As the meter sent it; null where a multiplier or transformer ratio did not change it.',
  })
  rawValue!: string | null;

  @Field(() => [String], { description: 'Codes of what limits its use, e.g. CLOCK_NOT_SET; empty = good.' })
  quality!: string[];

  @Field(() => ReadingOrigin, { description: 'How it came here.' })
  origin!: ReadingOrigin;

  @Field(() => DateTime, {
    nullable: true,
    description: 'When it was taken from the meter, as its message says; null in old rows.',
  })
  collectedAt!: Date | null;

  @Field(() => DateTime, { description: 'When it arrived.' })
  receivedAt!: Date;

  @Field(() => ID, { nullable: true, description: 'Of the message it came with; null in old rows.' })
  messageId!: string | null;
}

@ObjectType('MeterReadingRevision', {
  description: 'Another value for the same time, which is not the current one by the policy of the organization.',
  simpleResolvers: true,
})
export class MeterReadingRevisionType extends ValueFields {}

@ObjectType('MeterReadingDetail', {
  description: 'The current value of a series at one time, where it comes from, and what else came for that time.',
  simpleResolvers: true,
})
export class MeterReadingDetailType extends ValueFields {
  /** Not exposed: the meter is resolved from it. */
  meterDeviceId!: string;

  @Field(() => MeterDeviceType, { description: 'The meter it was read from.' })
  meterDevice!: MeterDeviceType;

  @Field(() => String, { description: 'Name of the series.' })
  series!: string;

  @Field(() => String, { nullable: true, description: 'Unit of the series.' })
  unit!: string | null;

  @Field(() => DateTime, { description: 'When it was measured, by the meter.' })
  timestamp!: Date;

  @Field(() => [MeterReadingRevisionType], {
    description: 'Other values for this time, in the order they were taken from the meter; at most the first 100.',
  })
  revisions!: MeterReadingRevisionType[];
}

@ObjectType('ReadingRevision', {
  description: 'A value that is not the current one, beside the one that is.',
  simpleResolvers: true,
})
export class ReadingRevisionType extends ValueFields {
  @Field(() => DateTime, { description: 'When both were measured, by the meter.' })
  timestamp!: Date;

  @Field(() => Decimal, {
    nullable: true,
    description: 'The current value; null when it is no longer kept.',
  })
  currentValue!: string | null;

  @Field(() => [String], { description: 'Codes of what limits the use of the current value; empty = good.' })
  currentQuality!: string[];
}

export const ReadingRevisionConnection = connectionOf('ReadingRevision', () => ReadingRevisionType);

@ArgsType()
export class ReadingKeyArgs {
  @Field(() => ID, { description: 'The meter.' })
  meterDevice!: string;

  @Field(() => String, { description: 'Name of the series.' })
  series!: string;

  @Field(() => DateTime, { description: 'When it was measured, to the millisecond.' })
  timestamp!: Date;
}

@ArgsType()
export class ReadingRevisionsArgs extends PageArgs {
  @Field(() => ID, { description: 'The meter.' })
  meterDevice!: string;

  @Field(() => String, { description: 'Name of the series.' })
  series!: string;

  @Field(() => DateTime, { description: 'Measured at this time or later.' })
  from!: Date;

  @Field(() => DateTime, { description: 'Measured before this time.' })
  to!: Date;
}
