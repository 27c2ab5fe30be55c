import { Field, ID, ObjectType } from 'type-graphql';
import { Role } from '../src/domain/enums.js';
import { connectionOf } from './connection.js';
import { DateTime } from './scalars.js';

@ObjectType('ApiToken', {
  description: 'A key to the API for one program or person. The token itself is shown once, when it is made.',
  simpleResolvers: true,
})
export class ApiTokenType {
  @Field(() => ID, { description: 'UUIDv7.' })
  id!: string;

  @Field(() => String, { description: 'Unique in the organization, for good: audits name it as the actor.' })
  name!: string;

  @Field(() => Role, { description: 'What it may do.' })
  role!: Role;

  @Field(() => [String], {
    nullable: true,
    description:
      'Queries, mutations and subscriptions it is good for, such as submitReadings; null: all that its role allows.',
  })
  scopes!: readonly string[] | null;

  @Field(() => DateTime, { description: 'When it was made.' })
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it ends by itself; null: never.' })
  expiresAt!: Date | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'When it was last used, up to two minutes late; null: not yet.',
  })
  lastUsedAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it was revoked; null: it was not.' })
  revokedAt!: Date | null;
}

export const ApiTokenConnection = connectionOf('ApiToken', () => ApiTokenType);

@ObjectType('CreateApiTokenPayload', { description: 'The token as made.', simpleResolvers: true })
export class CreateApiTokenPayload {
  @Field(() => ApiTokenType, { description: 'The token, without its secret.' })
  apiToken!: ApiTokenType;

  @Field(() => String, {
    description:
      'The token itself, shown this once: send it as `Authorization: Bearer amr_…`. Only a digest of it is kept.',
  })
  secret!: string;
}

@ObjectType('ApiTokenPayload', { description: 'The token as saved.', simpleResolvers: true })
export class ApiTokenPayload {
  @Field(() => ApiTokenType, { description: 'The token as saved.' })
  apiToken!: ApiTokenType;
}
