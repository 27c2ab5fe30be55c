import type { Connection, Outlet } from './outlet.js';

/** Events that are taken one at a time: between two of them the connection is full, so that nothing is kept for a slow reader. */
export class PulledEvents<E> implements Outlet<E>, Connection, AsyncIterableIterator<E, void, void> {
  readonly connection = this;
  #waiting: { resolve: (result: IteratorResult<E, void>) => void; reject: (error: unknown) => void } | undefined;
  #asked: () => void = () => undefined;
  #ended: { error?: unknown } | undefined;

  constructor(private readonly onReturn: () => void) {}

  get full(): boolean {
    return !this.#waiting && !this.#ended;
  }

  drained(): Promise<void> {
    if (!this.full) return Promise.resolve();
    return new Promise((resolve) => (this.#asked = resolve));
  }

  send(event: E): void {
    const { resolve } = this.#waiting!;
    this.#waiting = undefined;
    resolve({ done: false, value: event });
  }

  end(error?: unknown): void {
    this.#ended ??= { error };
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) this.#tell(waiting.resolve, waiting.reject);
    this.#asked();
  }

  /** One call at a time, as `for await` makes them. */
  next(): Promise<IteratorResult<E, void>> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return this.#tell(resolve, reject);
      this.#waiting = { resolve, reject };
      this.#asked();
    });
  }

  async return(): Promise<IteratorResult<E, void>> {
    this.onReturn();
    this.end();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** An error is told once. */
  #tell(resolve: (result: IteratorResult<E, void>) => void, reject: (error: unknown) => void): void {
    const error = this.#ended?.error;
    this.#ended = {};
    if (error === undefined) resolve({ done: true, value: undefined });
    else reject(error);
  }
}
