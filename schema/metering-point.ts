import { Field, Int, ObjectType } from 'type-graphql';
import { connectionOf } from './connection.js';
import { InstallationConnection } from './installation.js';
import { MeterDeviceType } from './meter-device.js';
import { NodeType } from './node.js';
import { DateTime } from './scalars.js';

@ObjectType('MeteringPoint', {
  description: 'The place that is billed. Meters come and go; it stays.',
  implements: NodeType,
  simpleResolvers: true,
})
export class MeteringPointType extends NodeType {
  @Field(() => String, { description: 'Unique in the organization.' })
  name!: string;

  @Field(() => String, { description: 'Free text.' })
  description!: string;

  @Field(() => String, { nullable: true, description: 'Of the customer in the billing system.' })
  customerReference!: string | null;

  @Field(() => String, { nullable: true, description: 'Of the tariff in the billing system.' })
  tariffReference!: string | null;

  @Field(() => Int, { description: 'Pass as expectedVersion to update only what you read.' })
  version!: number;

  @Field(() => MeterDeviceType, {
    nullable: true,
    description: 'The meter there now; of several, the one installed last. Null when there is none.',
  })
  currentMeterDevice!: MeterDeviceType | null;

  @Field(() => [MeterDeviceType], {
    description:
      'All meters there now, such as one for electricity and one for gas; the one installed last first, at most 100.',
  })
  currentMeterDevices!: MeterDeviceType[];

  @Field(() => InstallationConnection, {
    description: 'Which meters are and were there, in the order they were entered.',
  })
  installations!: unknown;

  @Field(() => DateTime, { description: 'When it was entered.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'When its data were last changed.' })
  updatedAt!: Date;
}

export const MeteringPointConnection = connectionOf('MeteringPoint', () => MeteringPointType);

@ObjectType('MeteringPointPayload', { description: 'The metering point as saved.', simpleResolvers: true })
export class MeteringPointPayload {
  @Field(() => MeteringPointType, { description: 'The metering point as saved.' })
  meteringPoint!: MeteringPointType;
}
