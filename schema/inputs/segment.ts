import { Field, ID, InputType, Int } from 'type-graphql';

/** What may be left out when creating as well as when updating. Not part of the schema itself. */
@InputType()
class SegmentOptions {
  @Field(() => Int, { nullable: true, description: 'Most sessions open at once, 1 or more. Null: unlimited.' })
  maxOpenSessions?: number | null;

  @Field(() => Int, { nullable: true, description: 'Most sessions begun per second, 1 or more. Null: unlimited.' })
  maxNewSessionsPerSecond?: number | null;
}

@InputType({ description: 'A segment to create.' })
export class CreateSegmentInput extends SegmentOptions {
  @Field(() => String, { description: 'Unique in the organization, 1 to 150 characters.' })
  name!: string;
}

@InputType({ description: 'Changes to a segment; what is left out stays.' })
export class UpdateSegmentInput extends SegmentOptions {
  @Field(() => ID, { description: 'The segment to change.' })
  id!: string;

  @Field(() => String, { nullable: true, description: 'Unique in the organization, 1 to 150 characters.' })
  name?: string;

  @Field(() => Int, {
    nullable: true,
    description: 'The version you read: CONFLICT when the segment has changed since.',
  })
  expectedVersion?: number | null;
}
