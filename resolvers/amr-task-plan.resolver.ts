import { Arg, Ctx, FieldResolver, Query, Resolver, Root } from 'type-graphql';
import { AmrTaskPlanType, PlannedInterfaceType, PlannedSegmentType } from '../schema/amr-task-plan.js';
import { PlanAmrTaskInput } from '../schema/inputs/amr-task-plan.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => AmrTaskPlanType)
export class AmrTaskPlanResolver {
  @Query(() => AmrTaskPlanType, {
    description: 'How long a slot of a task takes and what holds it up, before the task is saved. Changes nothing.',
  })
  planAmrTask(
    @Arg('input', () => PlanAmrTaskInput, { description: 'The task.' }) input: PlanAmrTaskInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.taskPlans.plan(organizationId, input);
  }
}

@Resolver(() => PlannedInterfaceType)
export class PlannedInterfaceResolver {
  @FieldResolver()
  networkInterface(@Root() { networkInterfaceId }: PlannedInterfaceType, @Ctx() { loaders }: RequestContext) {
    return loaders.nodes.NetworkInterface.load(networkInterfaceId);
  }
}

@Resolver(() => PlannedSegmentType)
export class PlannedSegmentResolver {
  @FieldResolver()
  segment(@Root() { segmentId }: PlannedSegmentType, @Ctx() { loaders }: RequestContext) {
    return loaders.nodes.Segment.load(segmentId);
  }
}
