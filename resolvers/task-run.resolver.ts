import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import { PageArgs } from '../schema/connection.js';
import { DeleteInput } from '../schema/delete.js';
import { TaskRunFilter } from '../schema/inputs/filters.js';
import { InvokeAmrTaskInput, InvokeTaskInput } from '../schema/inputs/invocation.js';
import { TaskRunConnection, TaskRunPayload, TaskRunType } from '../schema/task-run.js';
import { TaskRunOrder } from '../schema/orderings.js';
import type { RequestContext } from '../src/graphql/context.js';
import type { TaskRunRow } from '../src/services/task-runs.js';

@Resolver(() => TaskRunType)
export class TaskRunResolver {
  @Query(() => TaskRunType, { nullable: true, description: 'The run with this id; null when there is none.' })
  taskRun(@Arg('id', () => ID, { description: 'Id of the run.' }) id: string, @Ctx() { loaders }: RequestContext) {
    return loaders.nodes.TaskRun.load(id);
  }

  @Query(() => TaskRunConnection, { description: 'Runs, newest first.' })
  taskRuns(
    @Arg('filter', () => TaskRunFilter, { nullable: true, description: 'Which runs; all when absent.' })
    filter: TaskRunFilter | null,
    @Arg('orderBy', () => TaskRunOrder, {
      nullable: true,
      description: 'How they are ordered; newest first when absent.',
    })
    orderBy: InstanceType<typeof TaskRunOrder> | null,
    @Args(() => PageArgs) page: PageArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.taskRuns.page(organizationId, page, filter ?? {}, orderBy);
  }

  @Mutation(() => TaskRunPayload, {
    description: 'Carries out one call on one meter, ahead of scheduled work. Returns its run at once, still PENDING.',
  })
  async invokeTask(
    @Arg('input', () => InvokeTaskInput, { description: 'The call.' }) input: InvokeTaskInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { taskRun: await services.invocation.invokeTask(organizationId, input) };
  }

  @Mutation(() => TaskRunPayload, {
    description:
      'Carries out a saved task on one meter now, ahead of scheduled work. Returns its run at once, still PENDING.',
  })
  async invokeAmrTask(
    @Arg('input', () => InvokeAmrTaskInput, { description: 'Task and meter.' }) input: InvokeAmrTaskInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { taskRun: await services.invocation.invokeAmrTask(organizationId, input) };
  }

  @Mutation(() => TaskRunPayload, {
    description:
      'Cancels a run. One that waits is CANCELLED at once. One that was handed to a poller keeps its state, with cancelRequestedAt set, until the poller confirms; if its try has ended by then, that outcome stands, but it is not tried again. A run that is CANCELLED is returned as it is; any other that has ended is a CONFLICT.',
  })
  async cancelTaskRun(
    @Arg('input', () => DeleteInput, { description: 'The run.' }) input: DeleteInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { taskRun: await services.cancellation.cancelTaskRun(organizationId, input) };
  }

  @FieldResolver()
  meterDevice(@Root() run: TaskRunRow, @Ctx() { loaders }: RequestContext) {
    return loaders.nodes.MeterDevice.load(run.meterDeviceId);
  }

  @FieldResolver()
  amrTask(@Root() run: TaskRunRow, @Ctx() { loaders }: RequestContext) {
    return run.amrTaskId && loaders.nodes.AmrTask.load(run.amrTaskId);
  }
}
