import { Field, Int, ObjectType } from 'type-graphql';
import { connectionOf } from './connection.js';
import { MeterDeviceType } from './meter-device.js';
import { MeteringPointType } from './metering-point.js';
import { NodeType } from './node.js';
import { DateTime, Decimal } from './scalars.js';

@ObjectType('Installation', {
  description: 'Which meter was at a metering point, from and to. A meter is at one place at a time.',
  implements: NodeType,
  simpleResolvers: true,
})
export class InstallationType extends NodeType {
  @Field(() => MeteringPointType, { description: 'The place.' })
  meteringPoint!: unknown;

  @Field(() => MeterDeviceType, { description: 'The meter.' })
  meterDevice!: unknown;

  @Field(() => DateTime, { description: 'Readings measured at this instant or later are of this place.' })
  installedAt!: Date;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Readings measured at this instant or later no longer are. Null while the meter is there.',
  })
  removedAt!: Date | null;

  @Field(() => Decimal, { nullable: true, description: 'What the meter showed when it was installed.' })
  startIndex!: string | null;

  @Field(() => Decimal, { nullable: true, description: 'What the meter showed when it was removed.' })
  endIndex!: string | null;

  @Field(() => Int, { description: 'Rises with each change: pass it as expectedVersion to change only what you read.' })
  version!: number;

  @Field(() => DateTime, { description: 'When it was entered.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'When it was last changed.' })
  updatedAt!: Date;
}

export const InstallationConnection = connectionOf('Installation', () => InstallationType);

@ObjectType('InstallationPayload', { description: 'The installation as saved.', simpleResolvers: true })
export class InstallationPayload {
  @Field(() => InstallationType, { description: 'The installation as saved.' })
  installation!: InstallationType;
}
