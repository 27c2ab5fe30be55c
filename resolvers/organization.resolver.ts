import { Arg, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import { OrganizationPayload, OrganizationType, UpdateOrganizationInput } from '../schema/organization.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => OrganizationType)
export class OrganizationResolver {
  @Query(() => OrganizationType, { description: 'The organization of the caller.' })
  organization(@Ctx() { services, organizationId }: RequestContext) {
    return services.organizations.find(organizationId);
  }

  @Mutation(() => OrganizationPayload, { description: 'Changes what holds for all of the organization.' })
  async updateOrganization(
    @Arg('input', () => UpdateOrganizationInput, { description: 'The changes.' }) input: UpdateOrganizationInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { organization: await services.organizations.update(organizationId, input) };
  }
}
