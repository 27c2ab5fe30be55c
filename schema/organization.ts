import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { RevisionPolicy } from '../src/domain/enums.js';
import { DateTime } from './scalars.js';

@ObjectType('Organization', {
  description: 'The tenant whose rows this API shows, and what holds for all of them.',
  simpleResolvers: true,
})
export class OrganizationType {
  @Field(() => ID, { description: 'UUID; messages may carry it as organization.' })
  id!: string;

  @Field(() => String, { description: 'Unique in the installation.' })
  name!: string;

  @Field(() => RevisionPolicy, { description: 'Which of two values for one time is the current one.' })
  revisionPolicy!: RevisionPolicy;

  @Field(() => Int, { description: 'Rises with each change: pass it as expectedVersion to change only what you read.' })
  version!: number;

  @Field(() => DateTime, { description: 'When it was set up.' })
  createdAt!: Date;
}

@InputType({ description: 'Changes to the organization; what is left out stays.' })
export class UpdateOrganizationInput {
  @Field(() => RevisionPolicy, {
    nullable: true,
    description: 'For readings that come from now on; what is stored stays as it is.',
  })
  revisionPolicy?: RevisionPolicy;

  @Field(() => Int, {
    nullable: true,
    description: 'The version you read: CONFLICT when the organization has changed since.',
  })
  expectedVersion?: number | null;
}

@ObjectType('OrganizationPayload', { description: 'The organization as saved.', simpleResolvers: true })
export class OrganizationPayload {
  @Field(() => OrganizationType, { description: 'The organization as saved.' })
  organization!: OrganizationType;
}
