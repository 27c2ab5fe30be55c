import { Field, InputType } from 'type-graphql';
import { Role } from '../../src/domain/enums.js';
import { DateTime } from '../scalars.js';

@InputType({ description: 'A token to create.' })
export class CreateApiTokenInput {
  @Field(() => String, {
    description: 'What it is for, such as billing-export; unique in the organization, 1 to 150 characters.',
  })
  name!: string;

  @Field(() => Role, { description: 'What it may do.' })
  role!: Role;

  @Field(() => [String], {
    nullable: true,
    description:
      'Queries, mutations and subscriptions it is good for, such as ["readings", "meterReadingAdded"]; what they return can be followed. Left out: all that its role allows.',
  })
  scopes?: string[] | null;

  @Field(() => DateTime, { nullable: true, description: 'When it ends by itself. Left out: never.' })
  expiresAt?: Date | null;
}
