import { Arg, Args, Ctx, Int, Query, Resolver } from 'type-graphql';
import { PageArgs } from '../schema/connection.js';
import { StagedMeterConnection, StagedReadingConnection, StagedReadingFilter } from '../schema/staged-reading.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver()
export class StagedReadingResolver {
  @Query(() => StagedReadingConnection, {
    description: 'Readings that wait for their meter to be registered, by meter, series and time.',
  })
  stagedReadings(
    @Arg('filter', () => StagedReadingFilter, { nullable: true, description: 'Which readings; all when absent.' })
    filter: StagedReadingFilter | null,
    @Args(() => PageArgs) page: PageArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.stagedReadings.page(organizationId, page, filter ?? {});
  }

  @Query(() => StagedMeterConnection, {
    description: 'Unknown meters whose readings wait, by what messages call them.',
  })
  stagedMeters(@Args(() => PageArgs) page: PageArgs, @Ctx() { services, organizationId }: RequestContext) {
    return services.stagedReadings.meters(organizationId, page);
  }

  @Query(() => Int, { description: 'Readings that wait for their meter to be registered.' })
  stagedReadingCount(@Ctx() { services, organizationId }: RequestContext) {
    return services.stagedReadings.count(organizationId);
  }
}
