import 'reflect-metadata';
import '../../schema/enums.js';
import type { GraphQLSchema } from 'graphql';
import { buildSchema, type MiddlewareFn, type PubSub } from 'type-graphql';
import { AmrTaskGroupResolver } from '../../resolvers/amr-task-group.resolver.js';
import { AmrTaskResolver } from '../../resolvers/amr-task.resolver.js';
import { MeterDeviceResolver } from '../../resolvers/meter-device.resolver.js';
import { MeterExecutionTypeResolver } from '../../resolvers/meter-execution-type.resolver.js';
import { NetworkInterfaceResolver } from '../../resolvers/network-interface.resolver.js';
import { NodeResolver } from '../../resolvers/node.resolver.js';
import { ReadingResolver } from '../../resolvers/reading.resolver.js';
import { RegisterResolver } from '../../resolvers/register.resolver.js';
import { SegmentResolver } from '../../resolvers/segment.resolver.js';
import { SeriesResolver } from '../../resolvers/series.resolver.js';
import { SubscriptionResolver } from '../../resolvers/subscription.resolver.js';
import { TaskRunResolver } from '../../resolvers/task-run.resolver.js';
import { DateTime } from '../../schema/scalars.js';
import { checkArguments } from './argument-check.js';
import type { RequestContext } from './context.js';

/** The mutations of one operation run one after another: none may see rows that were loaded before the last change. */
const forgetBeforeMutation: MiddlewareFn<RequestContext> = ({ info, context }, next) => {
  if (info.parentType === info.schema.getMutationType()) context.loaders.clear();
  return next();
};

const checkBeforeUse: MiddlewareFn<RequestContext> = ({ args }, next) => {
  checkArguments(args);
  return next();
};

/** The builder wants one; ours is never asked, because every subscription brings its own stream from the live feed. */
const noPubSub: PubSub = {
  publish: () => undefined,
  subscribe: (topic) => {
    throw new Error(`subscription topic ${topic} has no stream of its own`);
  },
};

/** The API's schema, over HTTP and WebSocket alike. */
export function buildGraphqlSchema(): Promise<GraphQLSchema> {
  return buildSchema({
    resolvers: [
      NodeResolver,
      AmrTaskResolver,
      AmrTaskGroupResolver,
      MeterDeviceResolver,
      NetworkInterfaceResolver,
      SegmentResolver,
      SeriesResolver,
      RegisterResolver,
      TaskRunResolver,
      ReadingResolver,
      MeterExecutionTypeResolver,
      SubscriptionResolver,
    ],
    scalarsMap: [{ type: Date, scalar: DateTime }],
    pubSub: noPubSub,
    globalMiddlewares: [checkBeforeUse, forgetBeforeMutation],
    // Services check inputs as a whole, with messages that name the field and what it may hold.
    validate: false,
  });
}
