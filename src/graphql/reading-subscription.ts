import type { Place } from '../domain/cursor.js';
import { subscribers } from './live-metrics.js';
import type { Outlet } from './outlet.js';
import { PulledEvents } from './pulled-events.js';
import type { ReadingRenderer } from './reading-channel.js';
import type { ReadingFilter } from './reading-filter.js';
import type { ReadingHub } from './reading-hub.js';
import { liveReadings, type LiveReading } from './reading-stream.js';

/**
 * The readings that match from a place on, without hole or repeat. It begins when it is iterated, an event at a time, or when it is told
 * where to send its events; one of the two, once.
 * @throws GraphQLError `CURSOR_EXPIRED`, on the way, when the log has been purged past the place
 */
export class ReadingSubscription implements AsyncIterable<LiveReading> {
  #stop: (() => void) | undefined;
  #ended = false;

  constructor(
    private readonly hub: ReadingHub,
    private readonly filter: ReadingFilter,
    private readonly from: Place,
    private readonly onEnd: () => void,
  ) {
    subscribers.inc({ subscription: 'meterReadingAdded' });
  }

  /**
   * Sends rendered events as they come.
   * @returns a stream without items, which lasts as long as the subscription and ends it with `return`
   */
  sendTo<E>(renderer: ReadingRenderer<E>, outlet: Outlet<E>): AsyncGenerator<never, void, void> {
    let settle: { resolve: () => void; reject: (error: unknown) => void } | undefined;
    const over = new Promise<void>((resolve, reject) => (settle = { resolve, reject }));
    over.catch(() => undefined); // told by `next`, which may not be asked any more
    this.#begin(renderer, outlet, (error) => (error === undefined ? settle!.resolve() : settle!.reject(error)));
    const end = async (): Promise<IteratorResult<never, void>> => {
      this.end();
      return { done: true, value: undefined };
    };
    return {
      next: async () => {
        await over;
        return { done: true, value: undefined };
      },
      return: end,
      throw: end,
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<LiveReading, void, void> {
    const pulled = new PulledEvents<LiveReading>(() => this.end());
    this.#begin(liveReadings, pulled, (error) => pulled.end(error));
    return pulled;
  }

  end(): void {
    if (this.#ended) return;
    if (this.#stop) this.#stop();
    else this.#onEnd();
  }

  #begin<E>(renderer: ReadingRenderer<E>, outlet: Outlet<E>, told: (error?: unknown) => void): void {
    if (this.#ended || this.#stop)
      return told(this.#ended ? undefined : new Error('the readings are being sent already'));
    this.#stop = this.hub.serve(this.filter, this.from, renderer, outlet, (error) => {
      this.#onEnd();
      told(error);
    });
  }

  #onEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    subscribers.dec({ subscription: 'meterReadingAdded' });
    this.filter.release();
    this.onEnd();
  }
}
