import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';

@InputType({ description: 'What to delete, or to cancel.' })
export class DeleteInput {
  @Field(() => ID, { description: 'Its id.' })
  id!: string;

  @Field(() => Boolean, {
    nullable: true,
    description:
      'For deletes: also what is in use, with the links to it; runs that wait are cancelled, all in one transaction. No reading is ever lost. Default false: CONFLICT says what would break.',
  })
  force?: boolean | null;

  @Field(() => Int, {
    nullable: true,
    description: 'For deletes: the version you read; CONFLICT when it has changed since.',
  })
  expectedVersion?: number | null;
}

@ObjectType('DeletePayload', { description: 'What was deleted.', simpleResolvers: true })
export class DeletePayload {
  @Field(() => ID, { description: 'Id of what was deleted.' })
  id!: string;
}
