import { Args, Ctx, FieldResolver, Query, Resolver, Root } from 'type-graphql';
import {
  MeterReadingDetailType,
  ReadingKeyArgs,
  ReadingRevisionConnection,
  ReadingRevisionsArgs,
} from '../schema/reading-revision.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => MeterReadingDetailType)
export class ReadingRevisionResolver {
  @Query(() => MeterReadingDetailType, {
    nullable: true,
    description: 'One reading with where it comes from and its revisions; null when there is none at that time.',
  })
  meterReading(@Args(() => ReadingKeyArgs) key: ReadingKeyArgs, @Ctx() { services, organizationId }: RequestContext) {
    return services.readingRevisions.find(organizationId, key);
  }

  @Query(() => ReadingRevisionConnection, {
    description: 'Values of a series that are not the current ones, in a span of time, by time and then value.',
  })
  readingRevisions(
    @Args(() => ReadingRevisionsArgs) args: ReadingRevisionsArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.readingRevisions.page(organizationId, args);
  }

  @FieldResolver()
  meterDevice(@Root() reading: MeterReadingDetailType, @Ctx() { loaders }: RequestContext) {
    return loaders.nodes.MeterDevice.load(reading.meterDeviceId);
  }
}
