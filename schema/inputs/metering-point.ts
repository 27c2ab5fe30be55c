import { Field, ID, InputType, Int } from 'type-graphql';
import { DateTime } from '../scalars.js';

/** What may be left out when creating as well as when updating. Not part of the schema itself. */
@InputType()
class MeteringPointOptions {
  @Field(() => String, { nullable: true, description: 'Free text of at most 2000 characters.' })
  description?: string;

  @Field(() => String, {
    nullable: true,
    description: 'Of the customer in the billing system, at most 150 characters.',
  })
  customerReference?: string | null;

  @Field(() => String, { nullable: true, description: 'Of the tariff in the billing system, at most 150 characters.' })
  tariffReference?: string | null;
}

@InputType({ description: 'A metering point to create.' })
export class CreateMeteringPointInput extends MeteringPointOptions {
  @Field(() => String, { description: 'Unique in the organization, 1 to 150 characters.' })
  name!: string;
}

@InputType({ description: 'Changes to a metering point; what is left out stays.' })
export class UpdateMeteringPointInput extends MeteringPointOptions {
  @Field(() => ID, { description: 'The metering point to change.' })
  id!: string;

  @Field(() => String, { nullable: true, description: 'Unique in the organization, 1 to 150 characters.' })
  name?: string;

  @Field(() => Int, { nullable: true, description: 'The version you read: CONFLICT when the point has changed since.' })
  expectedVersion?: number | null;
}

@InputType({ description: 'Metering points that meet all conditions given.' })
export class MeteringPointFilter {
  @Field(() => [ID], { nullable: true, description: 'Points with one of these ids.' })
  ids?: string[] | null;

  @Field(() => String, { nullable: true, description: 'The whole name.' })
  name?: string | null;

  @Field(() => String, { nullable: true, description: 'Part of the name, in any case.' })
  nameContains?: string | null;

  @Field(() => String, { nullable: true, description: 'Beginning of the name, in any case, e.g. EK280-.' })
  nameStartsWith?: string | null;

  @Field(() => String, { nullable: true, description: 'The whole reference of the customer.' })
  customerReference?: string | null;

  @Field(() => String, { nullable: true, description: 'The whole reference of the tariff.' })
  tariffReference?: string | null;

  @Field(() => ID, { nullable: true, description: 'Points where this meter is or was.' })
  meterDevice?: string | null;

  @Field(() => Boolean, { nullable: true, description: 'Points where a meter is now, or those without.' })
  hasMeter?: boolean | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Points created or changed at this time or later, e.g. 2026-01-31T09:00:00Z.',
  })
  updatedSince?: Date | null;
}
