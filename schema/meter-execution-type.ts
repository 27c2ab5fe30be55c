import { Field, ObjectType } from 'type-graphql';
import { JSONObject } from './scalars.js';

@ObjectType('MeterTaskCall', { description: 'Something that can be done on a meter.', simpleResolvers: true })
export class MeterTaskCallType {
  @Field(() => String, { description: 'Value for taskCall.' })
  name!: string;

  @Field(() => String, { description: 'What it does.' })
  description!: string;

  @Field(() => Boolean, { description: 'Whether it changes something in the meter.' })
  writesToMeter!: boolean;

  @Field(() => JSONObject, { description: 'JSON Schema of taskKwargs.' })
  kwargsSchema!: Record<string, unknown>;
}

@ObjectType('MeterExecutionType', { description: 'A way to talk to meters, with its calls.', simpleResolvers: true })
export class MeterExecutionTypeType {
  @Field(() => String, { description: 'Value for meterExecutionType.' })
  name!: string;

  @Field(() => String, { description: 'Meters and protocol it is for.' })
  description!: string;

  @Field(() => [MeterTaskCallType], { description: 'What can be done on such a meter.' })
  calls!: MeterTaskCallType[];
}
