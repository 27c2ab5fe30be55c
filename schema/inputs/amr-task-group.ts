import { Field, ID, InputType, Int } from 'type-graphql';

/** What may be left out when creating as well as when updating. Not part of the schema itself. */
@InputType()
class AmrTaskGroupOptions {
  @Field(() => String, { nullable: true, description: 'Free text.' })
  description?: string;

  @Field(() => [ID], { nullable: true, description: 'All tasks of the group.' })
  tasks?: string[];
}

@InputType({ description: 'A task group to create.' })
export class CreateAmrTaskGroupInput extends AmrTaskGroupOptions {
  @Field(() => String, { description: 'Unique in the organization, 1 to 150 characters.' })
  name!: string;
}

@InputType({ description: 'Changes to a task group; what is left out stays.' })
export class UpdateAmrTaskGroupInput extends AmrTaskGroupOptions {
  @Field(() => ID, { description: 'The group to change.' })
  id!: string;

  @Field(() => String, { nullable: true, description: 'Unique in the organization, 1 to 150 characters.' })
  name?: string;

  @Field(() => Int, { nullable: true, description: 'The version you read: CONFLICT when the group has changed since.' })
  expectedVersion?: number | null;
}
