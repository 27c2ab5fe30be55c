import { Field, ID, InputType, Int } from 'type-graphql';
import { MeterLifeCycle } from '../../src/domain/enums.js';
import { Decimal, JSONObject } from '../scalars.js';

/** What may be left out when creating as well as when updating. Not part of the schema itself. */
@InputType()
class MeterDeviceOptions {
  @Field(() => String, {
    nullable: true,
    description: 'Printed on the device by its maker; checked in each session when set.',
  })
  serialNumber?: string | null;

  @Field(() => String, { nullable: true, description: 'Maker of the device.' })
  manufacturer?: string | null;

  @Field(() => String, { nullable: true, description: "The maker's name of the device type." })
  model?: string | null;

  @Field(() => String, { nullable: true, description: "The meter's id in the utility's own system." })
  externalReference?: string | null;

  @Field(() => String, { nullable: true, description: "Address on a shared line, in the protocol's own form." })
  protocolAddress?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'IANA time zone of the meter clock, e.g. Europe/Vienna; saved in its canonical spelling. Default UTC.',
  })
  timeZone?: string;

  @Field(() => Decimal, { nullable: true, description: 'Current transformer ratio, above 0.' })
  currentTransformerRatio?: string | null;

  @Field(() => Decimal, { nullable: true, description: 'Voltage transformer ratio, above 0.' })
  voltageTransformerRatio?: string | null;

  @Field(() => ID, { nullable: true, description: 'How it is reached. In an import its name will do as well.' })
  networkInterface?: string | null;

  @Field(() => [ID], {
    nullable: true,
    description: 'All task groups whose tasks run for this meter. In an import their names will do as well.',
  })
  taskGroups?: string[];

  @Field(() => [ID], {
    nullable: true,
    description: 'All tasks that run for this meter only. In an import their names will do as well.',
  })
  meterTasks?: string[];

  @Field(() => JSONObject, {
    nullable: true,
    description:
      'Write-only, e.g. {"password": "00000000"}. Stored sealed; null removes them, and an empty object is refused.',
  })
  credentials?: Record<string, unknown> | null;
}

@InputType({ description: 'A meter to register.' })
export class CreateMeterDeviceInput extends MeterDeviceOptions {
  @Field(() => String, { description: 'Unique in the organization, 1 to 150 characters.' })
  name!: string;
}

@InputType({ description: 'Changes to a meter; what is left out stays.' })
export class UpdateMeterDeviceInput extends MeterDeviceOptions {
  @Field(() => ID, { description: 'The meter to change.' })
  id!: string;

  @Field(() => String, { nullable: true, description: 'Unique in the organization, 1 to 150 characters.' })
  name?: string;

  @Field(() => MeterLifeCycle, { nullable: true, description: 'RETIRED meters are never polled again.' })
  lifeCycle?: MeterLifeCycle;

  @Field(() => Int, { nullable: true, description: 'The version you read: CONFLICT when the meter has changed since.' })
  expectedVersion?: number | null;
}
