import { Field, Int, ObjectType } from 'type-graphql';

@ObjectType({ description: 'Readings that were taken in.' })
export class SubmitReadingsPayload {
  @Field(() => Int, { description: 'Readings the broker has confirmed: all that were sent.' })
  accepted!: number;
}
