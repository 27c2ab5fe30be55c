import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { AmrTaskGroup } from '../entities/index.js';
import { AmrTaskGroupConnection, AmrTaskGroupPayload, AmrTaskGroupType } from '../schema/amr-task-group.js';
import { PageArgs } from '../schema/connection.js';
import { DeleteInput, DeletePayload } from '../schema/delete.js';
import { CreateAmrTaskGroupInput, UpdateAmrTaskGroupInput } from '../schema/inputs/amr-task-group.js';
import { PeriodArgs } from '../schema/inputs/period.js';
import { AmrTaskGroupFilter } from '../schema/inputs/filters.js';
import { AmrTaskGroupOrder } from '../schema/orderings.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => AmrTaskGroupType)
export class AmrTaskGroupResolver {
  @Query(() => AmrTaskGroupType, { nullable: true, description: 'The group with this id; null when there is none.' })
  amrTaskGroup(
    @Arg('id', () => ID, { description: 'Id of the group.' }) id: string,
    @Ctx() { loaders }: RequestContext,
  ) {
    return loaders.nodes.AmrTaskGroup.load(id);
  }

  @Query(() => AmrTaskGroupConnection, { description: 'Task groups, oldest first.' })
  amrTaskGroups(
    @Arg('filter', () => AmrTaskGroupFilter, { nullable: true, description: 'Which groups; all when absent.' })
    filter: AmrTaskGroupFilter | null,
    @Arg('orderBy', () => AmrTaskGroupOrder, {
      nullable: true,
      description: 'How they are ordered; oldest first when absent.',
    })
    orderBy: InstanceType<typeof AmrTaskGroupOrder> | null,
    @Args(() => PageArgs) page: PageArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.amrTaskGroups.page(organizationId, page, filter ?? {}, orderBy);
  }

  @Mutation(() => AmrTaskGroupPayload, { description: 'Saves a task group.' })
  async createAmrTaskGroup(
    @Arg('input', () => CreateAmrTaskGroupInput, { description: 'The group.' }) input: CreateAmrTaskGroupInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { amrTaskGroup: await services.amrTaskGroups.create(organizationId, input) };
  }

  @Mutation(() => AmrTaskGroupPayload, { description: 'Changes a task group.' })
  async updateAmrTaskGroup(
    @Arg('input', () => UpdateAmrTaskGroupInput, { description: 'The changes.' }) input: UpdateAmrTaskGroupInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { amrTaskGroup: await services.amrTaskGroups.update(organizationId, input) };
  }

  @Mutation(() => DeletePayload, {
    description:
      'Deletes a task group; its tasks and meters are kept. CONFLICT while it has any: by force they leave it, and runs that it alone asked for are cancelled.',
  })
  deleteAmrTaskGroup(
    @Arg('input', () => DeleteInput, { description: 'The group.' }) input: DeleteInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.amrTaskGroups.delete(organizationId, input);
  }

  @FieldResolver()
  tasks(@Root() group: AmrTaskGroup, @Ctx() { loaders }: RequestContext) {
    return loaders.tasksOfGroup.load(group.id);
  }

  @FieldResolver()
  meterDevices(@Root() group: AmrTaskGroup, @Args(() => PageArgs) page: PageArgs, @Ctx() { loaders }: RequestContext) {
    return loaders.metersOfGroup(page).load(group.id);
  }

  @FieldResolver()
  runSummary(
    @Root() group: AmrTaskGroup,
    @Args(() => PeriodArgs) period: PeriodArgs,
    @Ctx() { loaders }: RequestContext,
  ) {
    return loaders.runSummary('amrTaskGroup', period, group.id);
  }
}
