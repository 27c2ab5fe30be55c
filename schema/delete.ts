import { Field, ID, InputType, ObjectType } from 'type-graphql';

@InputType({ description: 'What to delete, or to cancel.' })
export class DeleteInput {
  @Field(() => ID, { description: 'Its id.' })
  id!: string;
}

@ObjectType('DeletePayload', { description: 'What was deleted.', simpleResolvers: true })
export class DeletePayload {
  @Field(() => ID, { description: 'Id of what was deleted.' })
  id!: string;
}
