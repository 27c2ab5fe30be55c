import { Ctx, Query, Resolver } from 'type-graphql';
import { WorkerType } from '../schema/worker.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => WorkerType)
export class WorkerResolver {
  @Query(() => [WorkerType], {
    description:
      'Pollers, which carry out sessions, and ingesters, which store readings: those that work, then the silent and the stopped ones, newest first; at most 1000. One that is gone for a day is left out.',
  })
  workers(@Ctx() { services }: RequestContext) {
    return services.workers.list();
  }
}
