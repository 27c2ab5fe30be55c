import { Arg, Args, Ctx, FieldResolver, Int, Query, Resolver, Root } from 'type-graphql';
import { MeterReadingFilter } from '../schema/inputs/filters.js';
import { MeterReadingType } from '../schema/meter-reading.js';
import { ReadingPageType, ReadingsArgs } from '../schema/reading-page.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => MeterReadingType)
export class ReadingResolver {
  @Query(() => ReadingPageType, { description: "A meter's readings in a span of time, by register and then time." })
  readings(@Args(() => ReadingsArgs) args: ReadingsArgs, @Ctx() { services, organizationId }: RequestContext) {
    return services.readings.page(organizationId, args);
  }

  @Query(() => [MeterReadingType], {
    description: 'The newest reading of each register, of these the ones that match, newest first.',
  })
  latestReadings(
    @Arg('filter', () => MeterReadingFilter, { nullable: true, description: 'Which readings; all when absent.' })
    filter: MeterReadingFilter | null,
    @Arg('first', () => Int, { nullable: true, description: 'Most readings to return: 1 to 1000. Default 100.' })
    first: number | null,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.readings.latest(organizationId, filter ?? {}, first);
  }

  @FieldResolver()
  meterDevice(@Root() reading: MeterReadingType, @Ctx() { loaders }: RequestContext) {
    return loaders.meterOfReading(reading);
  }
}
