/**
 * The stream of `run`, whose `return` aborts the signal first. A plain async generator cannot be ended while it waits:
 * its `return` is queued behind the pending `next`, and an unsubscribed client would hold it until the next event.
 */
export function stoppable<T>(
  run: (signal: AbortSignal) => AsyncGenerator<T, void, void>,
  onEnd: () => void = () => undefined,
): AsyncIterableIterator<T, void, void> {
  const stop = new AbortController();
  const inner = run(stop.signal);
  let ended = false;
  const end = () => {
    if (!ended) onEnd();
    ended = true;
  };
  return {
    next: async () => {
      try {
        const result = await inner.next();
        if (result.done) end();
        return result;
      } catch (error) {
        end();
        throw error;
      }
    },
    return: async () => {
      stop.abort();
      end();
      return inner.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Applies `map` to each item, one at a time; `return` goes straight to the source, also while an item is awaited. */
export function mapStream<A, B>(
  source: AsyncIterable<A>,
  map: (item: A) => Promise<B> | B,
): AsyncGenerator<B, void, void> {
  const items = source[Symbol.asyncIterator]();
  const end = async (): Promise<IteratorResult<B, void>> => {
    await items.return?.();
    return { done: true, value: undefined };
  };
  return {
    next: async () => {
      const item = await items.next();
      return item.done ? { done: true, value: undefined } : { done: false, value: await map(item.value) };
    },
    return: end,
    throw: async (error) => {
      await end();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** The same stream; `onEnd` is called once, when it has no more items, fails or is ended. */
export function whenEnded<T>(stream: AsyncGenerator<T, void, void>, onEnd: () => void): AsyncGenerator<T, void, void> {
  let hasEnded = false;
  const ended = () => {
    if (!hasEnded) onEnd();
    hasEnded = true;
  };
  return {
    next: async () => {
      try {
        const item = await stream.next();
        if (item.done) ended();
        return item;
      } catch (error) {
        ended();
        throw error;
      }
    },
    return: (value) => {
      ended();
      return stream.return(value);
    },
    throw: (error) => {
      ended();
      return stream.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
