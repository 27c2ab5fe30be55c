import { Field, Float, Int, ObjectType } from 'type-graphql';
import { MeterLifeCycle } from '../src/domain/enums.js';
import { AmrTaskGroupType } from './amr-task-group.js';
import { AmrTaskType } from './amr-task.js';
import { connectionOf } from './connection.js';
import { InstallationConnection } from './installation.js';
import { MeteringPointType } from './metering-point.js';
import { NetworkInterfaceType } from './network-interface.js';
import { NodeType } from './node.js';
import { RegisterType } from './register.js';
import { DateTime, Decimal } from './scalars.js';
import { TaskRunConnection } from './task-run.js';

@ObjectType('MeterDevice', {
  description: 'A physical meter that can be polled or that pushes.',
  implements: NodeType,
  simpleResolvers: true,
})
export class MeterDeviceType extends NodeType {
  @Field(() => String, { description: 'Unique in the organization.' })
  name!: string;

  @Field(() => String, {
    nullable: true,
    description: 'Printed on the device by its maker; checked in each session when set.',
  })
  serialNumber!: string | null;

  @Field(() => String, { nullable: true, description: 'Maker of the device.' })
  manufacturer!: string | null;

  @Field(() => String, { nullable: true, description: "The maker's name of the device type." })
  model!: string | null;

  @Field(() => String, { nullable: true, description: "The meter's id in the utility's own system." })
  externalReference!: string | null;

  @Field(() => String, { nullable: true, description: "Address on a shared line, in the protocol's own form." })
  protocolAddress!: string | null;

  @Field(() => MeterLifeCycle, { description: 'Where it is in its service life.' })
  lifeCycle!: MeterLifeCycle;

  @Field(() => String, { description: 'IANA time zone of the meter clock, e.g. Europe/Vienna.' })
  timeZone!: string;

  @Field(() => Decimal, { nullable: true, description: 'Current transformer ratio, e.g. "40" for 200 A / 5 A.' })
  currentTransformerRatio!: string | null;

  @Field(() => Decimal, { nullable: true, description: 'Voltage transformer ratio, e.g. "100" for 10 kV / 100 V.' })
  voltageTransformerRatio!: string | null;

  @Field(() => Int, { description: 'Pass as expectedVersion to update only what you read.' })
  version!: number;

  @Field(() => NetworkInterfaceType, {
    nullable: true,
    description: 'How it is reached; null for a meter that only pushes.',
  })
  networkInterface!: NetworkInterfaceType | null;

  @Field(() => Boolean, { description: 'True where credentials are stored; they can be written, never read.' })
  hasCredentials!: boolean;

  @Field(() => DateTime, {
    nullable: true,
    description:
      'When the meter refused its credentials: nothing is tried on it until they are changed or the rejection is cleared, as meters lock out. Null in order.',
  })
  credentialsRejectedAt!: Date | null;

  @Field(() => [AmrTaskGroupType], { description: 'Task groups whose tasks run for this meter.' })
  taskGroups!: AmrTaskGroupType[];

  @Field(() => [AmrTaskType], { description: 'Tasks that run for this meter only.' })
  meterTasks!: AmrTaskType[];

  @Field(() => [RegisterType], { description: 'Series of which the meter has readings.' })
  registers!: RegisterType[];

  @Field(() => DateTime, { nullable: true, description: 'Time of its newest reading.' })
  lastReadingAt!: Date | null;

  @Field(() => Float, { nullable: true, description: 'Meter clock minus ours in seconds, as last measured.' })
  clockDeviationSeconds!: number | null;

  @Field(() => MeteringPointType, { nullable: true, description: 'Where it is now; null when it is nowhere.' })
  meteringPoint!: unknown;

  @Field(() => InstallationConnection, { description: 'Where it is and was, in the order it was entered.' })
  installations!: unknown;

  @Field(() => TaskRunConnection, { description: 'Runs on this meter, newest first.' })
  taskRuns!: unknown;

  @Field(() => DateTime, { description: 'When the meter was registered.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'When its data were last changed.' })
  updatedAt!: Date;
}

export const MeterDeviceConnection = connectionOf('MeterDevice', () => MeterDeviceType);

@ObjectType('MeterDevicePayload', { description: 'The meter as saved.', simpleResolvers: true })
export class MeterDevicePayload {
  @Field(() => MeterDeviceType, { description: 'The meter as saved.' })
  meterDevice!: MeterDeviceType;
}
