/** On an event: what it came with, such as its committed batch. */
export const CAME_WITH: unique symbol = Symbol('came with');

/** How long events of one group may share a context, for a client that takes them slowly. */
const MAX_AGE_MS = 1_000;

/**
 * One context for events that came together, another for each later group. Were each event on its own, a batch of
 * readings of one meter would load that meter once for each reading; were it one context for all, its rows would grow old.
 */
export function contextPerGroup<C>(create: () => C): (event: unknown) => C {
  let group: unknown;
  let since = 0;
  let context: C | undefined;
  return (event) => {
    const own =
      typeof event === 'object' && event !== null ? (event as { [CAME_WITH]?: unknown })[CAME_WITH] : undefined;
    if (context === undefined || own === undefined || own !== group || performance.now() - since > MAX_AGE_MS) {
      context = create();
      since = performance.now();
      group = own;
    }
    return context;
  };
}
