import { Field, Int, ObjectType } from 'type-graphql';
import { connectionOf } from './connection.js';
import { NodeType } from './node.js';
import { DateTime } from './scalars.js';

@ObjectType('Segment', {
  description: 'Shared capacity on the way to meters: a radio cell, an APN, a gateway.',
  implements: NodeType,
  simpleResolvers: true,
})
export class SegmentType extends NodeType {
  @Field(() => String, { description: 'Unique in the organization.' })
  name!: string;

  @Field(() => Int, { nullable: true, description: 'Most sessions open at once; null: unlimited.' })
  maxOpenSessions!: number | null;

  @Field(() => Int, { nullable: true, description: 'Most sessions begun per second; null: unlimited.' })
  maxNewSessionsPerSecond!: number | null;

  @Field(() => Int, { description: 'Sessions open now.' })
  openSessions!: number;

  @Field(() => Int, { description: 'Rises with each change: pass it as expectedVersion to change only what you read.' })
  version!: number;

  @Field(() => DateTime, { description: 'When the segment was created.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'When its data were last changed.' })
  updatedAt!: Date;
}

export const SegmentConnection = connectionOf('Segment', () => SegmentType);

@ObjectType('SegmentPayload', { description: 'The segment as saved.', simpleResolvers: true })
export class SegmentPayload {
  @Field(() => SegmentType, { description: 'The segment as saved.' })
  segment!: SegmentType;
}
