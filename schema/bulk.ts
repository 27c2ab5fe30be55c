import { Field, ID, Int, ObjectType } from 'type-graphql';

@ObjectType({ description: 'What became of one item of a bulk mutation.' })
export class BulkItem {
  @Field(() => Int, { description: 'Place of the item in the call, from 0.' })
  index!: number;

  @Field(() => ID, {
    nullable: true,
    description: 'What was created or updated; null where the item failed, and for what a dry run would create.',
  })
  id!: string | null;

  @Field(() => Boolean, { description: 'Whether it was created, or would be.' })
  created!: boolean;

  @Field(() => String, { nullable: true, description: 'BAD_USER_INPUT, NOT_FOUND or CONFLICT; null where it is in.' })
  errorCode!: string | null;

  @Field(() => String, { nullable: true, description: 'What is wrong with which field, and the cure.' })
  errorMessage!: string | null;

  @Field(() => String, { nullable: true, description: 'The field at fault, such as input.items.3.timeZone.' })
  errorField!: string | null;
}

@ObjectType({ description: 'What became of the items of a bulk mutation. Each is in as a whole, or not at all.' })
export class BulkPayload {
  @Field(() => Boolean, { description: 'Whether this only tells what would be done.' })
  dryRun!: boolean;

  @Field(() => [BulkItem], { description: 'One for each item, in their order.' })
  items!: BulkItem[];

  @Field(() => Int, { description: 'Items that were created.' })
  created!: number;

  @Field(() => Int, { description: 'Items that were there before.' })
  updated!: number;

  @Field(() => Int, { description: 'Of those updated: they had nothing to change.' })
  unchanged!: number;

  @Field(() => Int, { description: 'Items with an error.' })
  failed!: number;
}
