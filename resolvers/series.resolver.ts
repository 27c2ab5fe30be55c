import { Arg, Args, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import { PageArgs } from '../schema/connection.js';
import { DeleteInput, DeletePayload } from '../schema/delete.js';
import { UpsertSeriesInput } from '../schema/inputs/series.js';
import { SeriesConnection, SeriesPayload, SeriesType } from '../schema/series.js';
import { SeriesFilter } from '../schema/inputs/filters.js';
import { SeriesOrder } from '../schema/orderings.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => SeriesType)
export class SeriesResolver {
  @Query(() => SeriesConnection, { description: 'Series, oldest first.' })
  seriesList(
    @Arg('filter', () => SeriesFilter, { nullable: true, description: 'Which series; all when absent.' })
    filter: SeriesFilter | null,
    @Arg('orderBy', () => SeriesOrder, {
      nullable: true,
      description: 'How they are ordered; oldest first when absent.',
    })
    orderBy: InstanceType<typeof SeriesOrder> | null,
    @Args(() => PageArgs) page: PageArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.series.page(organizationId, page, filter ?? {}, orderBy);
  }

  @Mutation(() => SeriesPayload, { description: 'Creates the series of this name, or changes it.' })
  async upsertSeries(
    @Arg('input', () => UpsertSeriesInput, { description: 'The series.' }) input: UpsertSeriesInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { series: await services.series.upsert(organizationId, input) };
  }

  @Mutation(() => DeletePayload, {
    description: 'Deletes a series that no meter has readings of; CONFLICT for others, also by force.',
  })
  deleteSeries(
    @Arg('input', () => DeleteInput, { description: 'The series.' }) input: DeleteInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.series.delete(organizationId, input);
  }
}
