import { Arg, Args, Ctx, FieldResolver, Mutation, Resolver, Root } from 'type-graphql';
import { PageArgs } from '../schema/connection.js';
import { InvokeAmrTaskGroupInput } from '../schema/inputs/invocation.js';
import { TaskRunsPayload } from '../schema/task-run.js';
import type { RequestContext } from '../src/graphql/context.js';
import type { InvokedGroup } from '../src/services/group-invocation.js';

@Resolver(() => TaskRunsPayload)
export class TaskRunsPayloadResolver {
  @Mutation(() => TaskRunsPayload, {
    description:
      'Carries out each active task of a group on each of its meters now, ahead of scheduled work. Returns the runs at once. Meters that are RETIRED are left out; runs on a meter without interface, or that refused its credentials, are FAILED from the start. At most 300,000 runs.',
  })
  invokeAmrTaskGroup(
    @Arg('input', () => InvokeAmrTaskGroupInput, { description: 'Group and meters.' }) input: InvokeAmrTaskGroupInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.groupInvocation.invokeAmrTaskGroup(organizationId, input);
  }

  @FieldResolver()
  taskRuns(
    @Root() invoked: InvokedGroup,
    @Args(() => PageArgs) page: PageArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.taskRuns.pageAt(organizationId, page, invoked);
  }
}
