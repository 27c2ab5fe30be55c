import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { ReadingOrigin } from '../src/domain/enums.js';
import { connectionOf } from './connection.js';
import { DateTime, Decimal } from './scalars.js';

@ObjectType('StagedReading', {
  description:
    'A reading of a meter nobody has registered yet. It is stored when the meter is, and discarded after 30 days.',
  simpleResolvers: true,
})
export class StagedReadingType {
  @Field(() => ID, { description: 'Its number on the stage.' })
  id!: string;

  @Field(() => String, { description: 'What the message calls the meter: id, name or serial number.' })
  meter!: string;

  @Field(() => String, { description: 'Name of the series.' })
  series!: string;

  @Field(() => DateTime, { description: 'When it was measured, by the meter.' })
  timestamp!: Date;

  @Field(() => Decimal, { description: 'Exact, with the digits the meter sent.' })
  value!: string;

  @Field(() => String, { nullable: true, description: 'As the message says.' })
  unit!: string | null;

  @Field(() => [String], { description: 'Codes of what limits its use; empty = good.' })
  quality!: string[];

  @Field(() => ReadingOrigin, { description: 'How it came here.' })
  origin!: ReadingOrigin;

  @Field(() => DateTime, { nullable: true, description: 'When it was taken from the meter, as its message says.' })
  collectedAt!: Date | null;

  @Field(() => DateTime, { description: 'When it arrived.' })
  receivedAt!: Date;

  @Field(() => DateTime, { description: 'When it is discarded, if its meter is not registered before.' })
  expiresAt!: Date;
}

export const StagedReadingConnection = connectionOf('StagedReading', () => StagedReadingType);

@ObjectType('StagedMeter', {
  description: 'What waits for one unknown meter. Register a meter of this name, serial number or id to store it.',
  simpleResolvers: true,
})
export class StagedMeterType {
  @Field(() => String, { description: 'What the messages call it: id, name or serial number.' })
  meter!: string;

  @Field(() => Int, { description: 'Readings that wait.' })
  readingCount!: number;

  @Field(() => DateTime, { description: 'When the oldest was measured.' })
  firstMeasuredAt!: Date;

  @Field(() => DateTime, { description: 'When the newest was measured.' })
  lastMeasuredAt!: Date;

  @Field(() => Int, { description: 'Series of which readings wait.' })
  seriesCount!: number;

  @Field(() => [String], { description: 'Their names, at most the first 100.' })
  series!: string[];
}

export const StagedMeterConnection = connectionOf('StagedMeter', () => StagedMeterType);

@InputType({ description: 'Staged readings that meet all conditions given.' })
export class StagedReadingFilter {
  @Field(() => String, { nullable: true, description: 'Readings whose message calls the meter so.' })
  meter?: string | null;

  @Field(() => String, { nullable: true, description: 'Readings of this series, by name.' })
  series?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'Measured at this time or later.' })
  from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Measured before this time.' })
  to?: Date | null;
}
