import { Field, ID, ObjectType } from 'type-graphql';
import { MeterDeviceType } from './meter-device.js';
import { DateTime } from './scalars.js';
import { SeriesType } from './series.js';

@ObjectType('Register', { description: 'One series on one meter.', simpleResolvers: true })
export class RegisterType {
  @Field(() => ID, { description: 'Storage key of its readings.' })
  id!: number;

  /** Not exposed: the relations are resolved from these. */
  meterDeviceId!: string;
  seriesId!: string;

  @Field(() => MeterDeviceType, { description: 'The meter that keeps it.' })
  meterDevice!: MeterDeviceType;

  @Field(() => SeriesType, { description: 'What it measures.' })
  series!: SeriesType;

  @Field(() => DateTime, { nullable: true, description: 'Time of its oldest reading.' })
  firstReadingAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Time of its newest reading.' })
  lastReadingAt!: Date | null;
}
