import { Field, ID, ObjectType } from 'type-graphql';
import { ReadingOrigin } from '../src/domain/enums.js';
import { MeterDeviceType } from './meter-device.js';
import { Cursor, DateTime, Decimal } from './scalars.js';

@ObjectType('MeterReading', { description: 'One value of one series on one meter.', simpleResolvers: true })
export class MeterReadingType {
  /** Not exposed: the meter is resolved from it. */
  meterDeviceId!: string;

  /** Not exposed: see `LiveReading`. */
  metersTogether?: readonly string[];

  @Field(() => Cursor, {
    nullable: true,
    description: 'Position to resume a subscription after this reading; null outside subscriptions.',
  })
  cursor!: string | null;

  @Field(() => MeterDeviceType, { description: 'The meter it was read from.' })
  meterDevice!: MeterDeviceType;

  @Field(() => String, { description: 'Name of the series, e.g. 7-0:13.26.0*101.' })
  series!: string;

  @Field(() => String, { nullable: true, description: 'Unit of the series.' })
  unit!: string | null;

  @Field(() => DateTime, { description: 'When it was measured, by the meter.' })
  timestamp!: Date;

  @Field(() => Decimal, { description: 'Exact, with the digits the meter sent.' })
  value!: string;

  @Field(() => [String], { description: 'Codes of what limits its use, e.g. CLOCK_NOT_SET; empty = good.' })
  quality!: string[];

  @Field(() => ReadingOrigin, { description: 'How it came here.' })
  origin!: ReadingOrigin;

  @Field(() => DateTime, { description: 'When it arrived.' })
  receivedAt!: Date;

  @Field(() => ID, {
    nullable: true,
    description:
      'The metering point the meter was installed at when this was measured: in subscriptions as it was known when the reading was stored, in queries as it is known now.',
  })
  meteringPoint!: string | null;

  @Field(() => String, { nullable: true, description: 'Customer of that metering point, as billing calls it.' })
  customerReference!: string | null;

  @Field(() => String, { nullable: true, description: 'Tariff of that metering point, as billing calls it.' })
  tariffReference!: string | null;

  @Field(() => Boolean, { description: 'Whether this value took the place of another one of the same time.' })
  revised!: boolean;

  @Field(() => Boolean, {
    description: 'Whether a newer reading of the register had been stored before; never in latestReadings.',
  })
  late!: boolean;
}
