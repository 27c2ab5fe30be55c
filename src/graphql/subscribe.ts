import { createSourceEventStream, execute, type ExecutionResult } from 'graphql';
import { asGraphQLError } from './admission.js';
import { mapStream, whenEnded } from './async-streams.js';
import type { CallerLimits } from './caller-limits.js';
import type { RequestContext } from './context.js';
import { contextPerGroup } from './event-groups.js';
import { createLoaders } from './loaders.js';
import type { Outlet } from './outlet.js';
import { readingRenderer, type RendererOptions, type SubscriptionArgs } from './reading-renderers.js';
import { ReadingSubscription } from './reading-subscription.js';
import { whileAllowed } from './rights.js';

/**
 * As `subscribe` of graphql. Readings do not come through the stream: they go to `outlet` as JSON text of their results, made once for
 * all who select the same. The events of other subscriptions are resolved one by one, each group of them with loaders of its own.
 */
export async function subscribe(
  args: SubscriptionArgs,
  outlet: Outlet<string>,
  options: RendererOptions,
): Promise<AsyncGenerator<ExecutionResult, void, void> | ExecutionResult> {
  const events = await createSourceEventStream(args);
  if (!(Symbol.asyncIterator in events)) return events;
  const { contextValue } = args;
  if (events instanceof ReadingSubscription) {
    return whileAllowed(events.sendTo(readingRenderer(args, options), outlet), contextValue);
  }
  const contextOf = contextPerGroup((): RequestContext => {
    const { services, organizationId } = contextValue;
    return { ...contextValue, loaders: createLoaders(services, organizationId) };
  });
  const results = mapStream(events, (event) => execute({ ...args, rootValue: event, contextValue: contextOf(event) }));
  return whileAllowed(results, contextValue);
}

/** As `subscribe`, counted for its caller for as long as it lasts. */
export async function subscribeWithin(
  limits: CallerLimits,
  caller: string,
  ...subscription: Parameters<typeof subscribe>
): ReturnType<typeof subscribe> {
  const release = limits.subscription(caller);
  if (typeof release !== 'function') return { errors: [asGraphQLError(release)] };
  let isOpen = false;
  try {
    const results = await subscribe(...subscription);
    if (!(Symbol.asyncIterator in results)) return results;
    isOpen = true;
    return whenEnded(results, release);
  } finally {
    if (!isOpen) release();
  }
}
