import { Field, ID, InputType, Int } from 'type-graphql';
import { DateTime, Decimal } from '../scalars.js';

@InputType({ description: 'A meter that comes to a metering point.' })
export class InstallMeterInput {
  @Field(() => ID, { description: 'Where it comes to. Other meters may be there.' })
  meteringPoint!: string;

  @Field(() => ID, { description: 'The meter. CONFLICT while it is elsewhere.' })
  meterDevice!: string;

  @Field(() => DateTime, { description: 'From when on its readings are of this place.' })
  installedAt!: Date;

  @Field(() => Decimal, { nullable: true, description: 'What it showed then.' })
  startIndex?: string | null;
}

@InputType({ description: 'A meter that leaves its metering point.' })
export class RemoveMeterInput {
  @Field(() => ID, { description: 'The installation that ends.' })
  installation!: string;

  @Field(() => DateTime, { description: 'From when on its readings are no longer of this place; after installedAt.' })
  removedAt!: Date;

  @Field(() => Decimal, { nullable: true, description: 'What it showed then.' })
  endIndex?: string | null;

  @Field(() => Int, {
    nullable: true,
    description: 'The version you read: CONFLICT when the installation has changed since.',
  })
  expectedVersion?: number | null;
}

@InputType({ description: 'Corrections of an installation; what is left out stays.' })
export class UpdateInstallationInput {
  @Field(() => ID, { description: 'The installation to correct.' })
  id!: string;

  @Field(() => DateTime, { nullable: true, description: 'From when on readings are of this place.' })
  installedAt?: Date;

  @Field(() => DateTime, { nullable: true, description: 'From when on they no longer are; null: the meter is there.' })
  removedAt?: Date | null;

  @Field(() => Decimal, { nullable: true, description: 'What the meter showed when it was installed.' })
  startIndex?: string | null;

  @Field(() => Decimal, { nullable: true, description: 'What it showed when it was removed.' })
  endIndex?: string | null;

  @Field(() => Int, {
    nullable: true,
    description: 'The version you read: CONFLICT when the installation has changed since.',
  })
  expectedVersion?: number | null;
}
