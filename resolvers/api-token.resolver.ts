import { Arg, Args, Ctx, Info, Mutation, Query, Resolver } from 'type-graphql';
import type { GraphQLResolveInfo } from 'graphql';
import { ApiTokenConnection, ApiTokenPayload, ApiTokenType, CreateApiTokenPayload } from '../schema/api-token.js';
import { PageArgs } from '../schema/connection.js';
import { DeleteInput } from '../schema/delete.js';
import { CreateApiTokenInput } from '../schema/inputs/api-token.js';
import { requireRootFields } from '../src/graphql/access.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => ApiTokenType)
export class ApiTokenResolver {
  @Query(() => ApiTokenConnection, {
    description: 'Tokens of the organization, oldest first, with those that ended. Needs the role ADMIN.',
  })
  apiTokens(@Args(() => PageArgs) page: PageArgs, @Ctx() { services, organizationId }: RequestContext) {
    return services.apiTokens.page(organizationId, page);
  }

  @Mutation(() => CreateApiTokenPayload, {
    description: 'Makes a token of the organization. It is shown this once. Needs the role ADMIN.',
  })
  createApiToken(
    @Arg('input', () => CreateApiTokenInput, { description: 'The token.' }) input: CreateApiTokenInput,
    @Ctx() { services, organizationId, actor, source, scopes }: RequestContext,
    @Info() { schema }: GraphQLResolveInfo,
  ) {
    requireRootFields(schema, input.scopes ?? [], 'input.scopes');
    return services.apiTokens.create(organizationId, input, { actor, source, scopes });
  }

  @Mutation(() => ApiTokenPayload, {
    description:
      'Ends a token for good, and the subscriptions that run with it. One that was revoked before is returned as it is. Needs the role ADMIN.',
  })
  async revokeApiToken(
    @Arg('input', () => DeleteInput, { description: 'The token.' }) { id }: DeleteInput,
    @Ctx() { services, organizationId, actor, source }: RequestContext,
  ) {
    return { apiToken: await services.apiTokens.revoke(organizationId, id, { actor, source }) };
  }
}
