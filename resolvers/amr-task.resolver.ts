import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { AmrTask } from '../entities/index.js';
import { AmrTaskConnection, AmrTaskPayload, AmrTaskType } from '../schema/amr-task.js';
import { PageArgs } from '../schema/connection.js';
import { DeleteInput, DeletePayload } from '../schema/delete.js';
import { CreateAmrTaskInput, UpdateAmrTaskInput } from '../schema/inputs/amr-task.js';
import { AmrTaskFilter, TaskRunFilter } from '../schema/inputs/filters.js';
import { PeriodArgs } from '../schema/inputs/period.js';
import { AmrTaskOrder } from '../schema/orderings.js';
import type { RequestContext } from '../src/graphql/context.js';
import { nextRunAt } from '../src/services/amr-tasks.js';

@Resolver(() => AmrTaskType)
export class AmrTaskResolver {
  @Query(() => AmrTaskType, { nullable: true, description: 'The task with this id; null when there is none.' })
  amrTask(@Arg('id', () => ID, { description: 'Id of the task.' }) id: string, @Ctx() { loaders }: RequestContext) {
    return loaders.nodes.AmrTask.load(id);
  }

  @Query(() => AmrTaskConnection, { description: 'Tasks, oldest first.' })
  amrTasks(
    @Arg('filter', () => AmrTaskFilter, { nullable: true, description: 'Which tasks; all when absent.' })
    filter: AmrTaskFilter | null,
    @Arg('orderBy', () => AmrTaskOrder, {
      nullable: true,
      description: 'How they are ordered; oldest first when absent.',
    })
    orderBy: InstanceType<typeof AmrTaskOrder> | null,
    @Args(() => PageArgs) page: PageArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.amrTasks.page(organizationId, page, filter ?? {}, orderBy);
  }

  @Mutation(() => AmrTaskPayload, { description: 'Saves a task; it runs from its next slot on.' })
  async createAmrTask(
    @Arg('input', () => CreateAmrTaskInput, { description: 'The task.' }) input: CreateAmrTaskInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { amrTask: await services.amrTasks.create(organizationId, input) };
  }

  @Mutation(() => AmrTaskPayload, { description: 'Changes a task. Runs that were made already stay as they are.' })
  async updateAmrTask(
    @Arg('input', () => UpdateAmrTaskInput, { description: 'The changes.' }) input: UpdateAmrTaskInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { amrTask: await services.amrTasks.update(organizationId, input) };
  }

  @Mutation(() => DeletePayload, {
    description:
      'Deletes a task; its runs and their readings are kept. CONFLICT while it is in groups, on meters, or has runs that have not ended: by force it leaves them, and these are cancelled.',
  })
  deleteAmrTask(
    @Arg('input', () => DeleteInput, { description: 'The task.' }) input: DeleteInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.amrTasks.delete(organizationId, input);
  }

  @FieldResolver()
  groups(@Root() task: AmrTask, @Ctx() { loaders }: RequestContext) {
    return loaders.groupsOfTask.load(task.id);
  }

  @FieldResolver()
  nextRunAt(@Root() task: AmrTask) {
    return nextRunAt(task, new Date());
  }

  @FieldResolver()
  runs(
    @Root() task: AmrTask,
    @Args(() => PageArgs) page: PageArgs,
    @Arg('filter', () => TaskRunFilter, { nullable: true, description: 'Which runs; all when absent.' })
    filter: TaskRunFilter | null,
    @Ctx() { loaders }: RequestContext,
  ) {
    return loaders.runsOfTask(page, filter ?? {}).load(task.id);
  }

  @FieldResolver()
  runSummary(@Root() task: AmrTask, @Args(() => PeriodArgs) period: PeriodArgs, @Ctx() { loaders }: RequestContext) {
    return loaders.runSummary('amrTask', period, task.id);
  }
}
