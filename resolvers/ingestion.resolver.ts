import { Ctx, Query, Resolver } from 'type-graphql';
import { IngestionType } from '../schema/ingestion.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => IngestionType)
export class IngestionResolver {
  @Query(() => IngestionType, { description: 'How the pipeline of readings does: backlog, rate, steps and failures.' })
  ingestion(@Ctx() { services, organizationId }: RequestContext) {
    return services.ingestion.overview(organizationId);
  }
}
