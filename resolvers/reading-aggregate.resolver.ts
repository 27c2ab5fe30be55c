import { Args, Ctx, FieldResolver, Query, Resolver, Root } from 'type-graphql';
import {
  ReadingAggregateColumnsType,
  ReadingAggregatePageType,
  ReadingAggregatesArgs,
} from '../schema/reading-aggregates.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => ReadingAggregateColumnsType)
export class ReadingAggregateResolver {
  @Query(() => ReadingAggregatePageType, {
    description:
      'Readings of a meter, or of the meters of a group together, by calendar bucket: for billing and analytics.',
  })
  readingAggregates(
    @Args(() => ReadingAggregatesArgs) args: ReadingAggregatesArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.readingAggregates.page(organizationId, args);
  }

  @FieldResolver()
  series(@Root() columns: ReadingAggregateColumnsType, @Ctx() { loaders }: RequestContext) {
    return loaders.nodes.Series.load(columns.seriesId);
  }
}
