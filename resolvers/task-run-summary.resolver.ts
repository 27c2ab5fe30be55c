import { Arg, Ctx, Query, Resolver } from 'type-graphql';
import { TaskRunSummaryFilter } from '../schema/inputs/filters.js';
import { TaskRunSummaryType } from '../schema/task-run-summary.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => TaskRunSummaryType)
export class TaskRunSummaryResolver {
  @Query(() => TaskRunSummaryType, { description: 'How the scheduled runs of a period ended, or stand.' })
  taskRunSummary(
    @Arg('filter', () => TaskRunSummaryFilter, { description: 'Which runs.' }) filter: TaskRunSummaryFilter,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.taskRunSummaries.summary(organizationId, filter);
  }
}
