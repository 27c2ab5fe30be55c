import { Arg, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import {
  ServiceObjectivePayload,
  ServiceObjectiveType,
  SetServiceObjectiveInput,
} from '../schema/service-objective.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => ServiceObjectiveType)
export class ServiceObjectiveResolver {
  @Query(() => [ServiceObjectiveType], {
    description: 'The objectives of latency, completeness and loss, with their defaults where nobody has set them.',
  })
  serviceObjectives(@Ctx() { services, organizationId }: RequestContext) {
    return services.serviceObjectives.list(organizationId);
  }

  @Mutation(() => ServiceObjectivePayload, { description: 'Sets an objective; it counts within a minute.' })
  async setServiceObjective(
    @Arg('input', () => SetServiceObjectiveInput, { description: 'The objective.' }) input: SetServiceObjectiveInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { serviceObjective: await services.serviceObjectives.set(organizationId, input) };
  }
}
