/** Waits `ms`, or less when `signal` aborts; never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Exponential delays with full jitter: up to `firstMs`, then up to twice that, capped at `maxMs`. */
export function* backoff(firstMs: number, maxMs: number): Generator<number, never> {
  for (let ceiling = firstMs; ; ceiling = Math.min(maxMs, ceiling * 2)) yield Math.ceil(Math.random() * ceiling);
}
