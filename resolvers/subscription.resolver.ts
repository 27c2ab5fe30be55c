import { Arg, Resolver, Root, Subscription, type SubscribeResolverData } from 'type-graphql';
import { MeterReadingFilter, TaskRunFilter } from '../schema/inputs/filters.js';
import { MeterReadingType } from '../schema/meter-reading.js';
import { Cursor } from '../schema/scalars.js';
import { TaskRunType } from '../schema/task-run.js';
import { checkArguments } from '../src/graphql/argument-check.js';
import type { RequestContext } from '../src/graphql/context.js';
import { requireRunsAlone } from '../src/services/task-run-selection.js';

type Subscribe<Args> = SubscribeResolverData<undefined, Args, RequestContext>;

@Resolver()
export class SubscriptionResolver {
  @Subscription(() => MeterReadingType, {
    description:
      'Readings as they are committed. With after: everything committed since that cursor first, then live, with no hole and no repeat.',
    subscribe: ({ args, context }: Subscribe<{ filter?: MeterReadingFilter; after?: string }>) => {
      checkArguments(args);
      return context.live.readings(context.organizationId, args.filter, context.resumeAfter ?? args.after);
    },
  })
  meterReadingAdded(
    @Root() reading: MeterReadingType,
    @Arg('filter', () => MeterReadingFilter, { nullable: true, description: 'Which readings; all when absent.' })
    _filter?: MeterReadingFilter,
    @Arg('after', () => Cursor, { nullable: true, description: 'Cursor of the last reading received.' })
    _after?: string,
  ): MeterReadingType {
    return reading;
  }

  @Subscription(() => TaskRunType, {
    description: 'Runs as they change, each with its latest state; changes close to each other come as one.',
    subscribe: ({ args, context }: Subscribe<{ filter?: TaskRunFilter }>) => {
      checkArguments(args);
      requireRunsAlone(args.filter);
      return context.live.runs(context.organizationId, args.filter);
    },
  })
  taskRunUpdated(
    @Root() run: TaskRunType,
    @Arg('filter', () => TaskRunFilter, { nullable: true, description: 'Which runs; all when absent.' })
    _filter?: TaskRunFilter,
  ): TaskRunType {
    return run;
  }
}
