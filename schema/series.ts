import { Field, Int, ObjectType } from 'type-graphql';
import { SeriesKind } from '../src/domain/enums.js';
import { connectionOf } from './connection.js';
import { NodeType } from './node.js';
import { DateTime, Decimal } from './scalars.js';

@ObjectType('Series', {
  description: 'What can be measured. Created by itself with kind UNKNOWN at the first reading of its name.',
  implements: NodeType,
  simpleResolvers: true,
})
export class SeriesType extends NodeType {
  @Field(() => String, { description: 'OBIS code preferred, e.g. 7-0:13.26.0*101. Unique in the organization.' })
  name!: string;

  @Field(() => String, { nullable: true, description: 'Unit of the values, e.g. m3.' })
  unit!: string | null;

  @Field(() => SeriesKind, { description: 'What the values mean.' })
  kind!: SeriesKind;

  @Field(() => Decimal, { description: 'Factor from a stored value to the unit.' })
  multiplier!: string;

  @Field(() => Boolean, { description: "Whether a meter's current transformer ratio applies." })
  affectedByCurrentTransformer!: boolean;

  @Field(() => Boolean, { description: "Whether a meter's voltage transformer ratio applies." })
  affectedByVoltageTransformer!: boolean;

  @Field(() => String, { nullable: true, description: 'Free text.' })
  description!: string | null;

  @Field(() => Int, { description: 'Rises with each change: pass it as expectedVersion to change only what you read.' })
  version!: number;

  @Field(() => DateTime, { description: 'When the series was created.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'When its data were last changed.' })
  updatedAt!: Date;
}

export const SeriesConnection = connectionOf('Series', () => SeriesType);

@ObjectType('SeriesPayload', { description: 'The series as saved.', simpleResolvers: true })
export class SeriesPayload {
  @Field(() => SeriesType, { description: 'The series as saved.' })
  series!: SeriesType;
}
