import { Field, ID, InputType, ObjectType } from 'type-graphql';

@InputType({ description: 'What to delete.' })
export class DeleteInput {
  @Field(() => ID, { description: 'Id of what is deleted.' })
  id!: string;
}

@ObjectType('DeletePayload', { description: 'What was deleted.', simpleResolvers: true })
export class DeletePayload {
  @Field(() => ID, { description: 'Id of what was deleted.' })
  id!: string;
}
