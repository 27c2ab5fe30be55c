import { ArgsType, Field, ID, Int, ObjectType } from 'type-graphql';
import { BucketSize } from '../src/domain/calendar-buckets.js';
import { RegisterType } from './register.js';
import { DateTime, Decimal } from './scalars.js';
import { SeriesType } from './series.js';

@ArgsType()
export class ReadingAggregatesArgs {
  @Field(() => ID, { nullable: true, description: 'The meter whose readings are gathered; this or taskGroup.' })
  meterDevice?: string | null;

  @Field(() => ID, {
    nullable: true,
    description: 'The task group whose meters are added up, series by series; this or meterDevice.',
  })
  taskGroup?: string | null;

  @Field(() => [String], { nullable: true, description: 'Names of series, e.g. 1-0:1.8.0*255. Default: all.' })
  series?: string[] | null;

  @Field(() => DateTime, { description: 'In the first bucket, which is given as a whole.' })
  from!: Date;

  @Field(() => DateTime, { description: 'End of the span; a bucket that it lies in is given as a whole.' })
  to!: Date;

  @Field(() => BucketSize, { description: 'Calendar period to gather by.' })
  bucket!: BucketSize;

  @Field(() => String, {
    nullable: true,
    description:
      "IANA zone of the calendar, e.g. Europe/Berlin: its days have 23 or 25 hours when clocks change. Default: the meter's; UTC for a group.",
  })
  timeZone?: string | null;

  @Field(() => Int, { nullable: true, description: 'Most buckets in the page: 1 to 10000. Default 10000.' })
  first?: number | null;

  @Field(() => String, { nullable: true, description: 'next of the page before.' })
  after?: string | null;
}

@ObjectType('ReadingAggregateColumns', {
  description:
    "One register by bucket, or one series over all meters of a group, as parallel arrays, oldest first. Every bucket of the span is there, without readings too. CUMULATIVE and INTERVAL readings are stamped at the end of what they measure: one at a bucket's end belongs to it, one at its start to the bucket before. Other readings belong to the bucket that begins with them.",
  simpleResolvers: true,
})
export class ReadingAggregateColumnsType {
  /** Not exposed: the series is resolved from it. */
  seriesId!: string;

  @Field(() => SeriesType, { description: 'What was measured.' })
  series!: SeriesType;

  @Field(() => RegisterType, { nullable: true, description: 'The register they belong to; null for a group.' })
  register!: RegisterType | null;

  @Field(() => Int, { description: 'Meters that are added up: 1, or those of the group that have the series.' })
  meterCount!: number;

  @Field(() => [DateTime], { description: 'Where each bucket begins.' })
  starts!: Date[];

  @Field(() => [DateTime], { description: 'Where each bucket ends and the next begins.' })
  ends!: Date[];

  @Field(() => [Decimal], {
    nullable: 'items',
    description:
      "What passed in each bucket. INTERVAL: the sum of its readings. CUMULATIVE: the value at its end minus the value at its start, each that of the last reading until then; over a rollover and a replaced meter (startIndex and endIndex of installations, of meters with one counter) the true difference. Null without a reading, for other kinds, and after a fall that nothing explains: see qualities. A group's is the sum over its meters.",
  })
  amounts!: (string | null)[];

  @Field(() => [Decimal], { nullable: 'items', description: 'Smallest value of each bucket, of any meter.' })
  minima!: (string | null)[];

  @Field(() => [Decimal], { nullable: 'items', description: 'Largest value of each bucket, of any meter.' })
  maxima!: (string | null)[];

  @Field(() => [Decimal], {
    nullable: 'items',
    description: 'Mean of the values of each bucket, each reading weighing the same, rounded to 10 decimals.',
  })
  averages!: (string | null)[];

  @Field(() => [Decimal], { nullable: 'items', description: 'Oldest value of each bucket; null for several meters.' })
  firsts!: (string | null)[];

  @Field(() => [Decimal], { nullable: 'items', description: 'Newest value of each bucket; null for several meters.' })
  lasts!: (string | null)[];

  @Field(() => [Int], { description: 'Readings in each bucket.' })
  counts!: number[];

  @Field(() => [Int], {
    nullable: 'items',
    description:
      'Readings that each bucket has when it is complete: by the median distance of the newest 200 readings until to, e.g. 92, 96 or 100 quarter-hours a day. Null for a register with less than two readings. Not by task schedules: a poll once a day may read quarter-hours.',
  })
  expectedCounts!: (number | null)[];

  @Field(() => [Int], { description: 'Readings of each bucket for which another value came as well.' })
  revisedCounts!: number[];

  @Field(() => [String], {
    description:
      'What limits the use of each bucket, joined by a comma; empty = good. Codes of its readings, and INCOMPLETE (fewer readings than expected), NO_START (the amount begins with the very first reading), STARTS_EARLIER (it includes a gap before the bucket), METER_REPLACED, ROLLOVER, UNEXPLAINED_FALL.',
  })
  qualities!: string[];
}

@ObjectType('ReadingAggregatePage', {
  description: 'Buckets ordered by register (for a group by series), then time.',
  simpleResolvers: true,
})
export class ReadingAggregatePageType {
  @Field(() => String, { description: 'Zone whose calendar was used.' })
  timeZone!: string;

  @Field(() => [ReadingAggregateColumnsType], { description: 'One entry per register or series in this page.' })
  columns!: ReadingAggregateColumnsType[];

  @Field(() => String, { nullable: true, description: 'Pass as after to read on; null at the end.' })
  next!: string | null;
}
