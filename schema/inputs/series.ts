import { Field, InputType, Int } from 'type-graphql';
import { SeriesKind } from '../../src/domain/enums.js';
import { Decimal } from '../scalars.js';

@InputType({ description: 'Creates the series of this name, or changes it; what is left out stays.' })
export class UpsertSeriesInput {
  @Field(() => String, { description: 'OBIS code preferred, 1 to 150 characters.' })
  name!: string;

  @Field(() => String, { nullable: true, description: 'Unit of the values, e.g. m3.' })
  unit?: string | null;

  @Field(() => SeriesKind, { nullable: true, description: 'What the values mean. Default UNKNOWN.' })
  kind?: SeriesKind;

  @Field(() => Decimal, {
    nullable: true,
    description: 'Factor from a stored value to the unit, above 0. Default "1".',
  })
  multiplier?: string;

  @Field(() => Boolean, {
    nullable: true,
    description: "Whether a meter's current transformer ratio applies. Default false.",
  })
  affectedByCurrentTransformer?: boolean;

  @Field(() => Boolean, {
    nullable: true,
    description: "Whether a meter's voltage transformer ratio applies. Default false.",
  })
  affectedByVoltageTransformer?: boolean;

  @Field(() => String, { nullable: true, description: 'Free text.' })
  description?: string | null;

  @Field(() => Int, {
    nullable: true,
    description: 'The version you read: CONFLICT when the series has changed since.',
  })
  expectedVersion?: number | null;
}
