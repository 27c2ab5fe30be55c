/**
 * Waits `ms`, or less when one of `signals` aborts; never rejects. Takes several signals as `AbortSignal.any` in a loop
 * leaves something on the long-lived one at each turn (seen on Node 20).
 */
export function pause(ms: number, ...signals: (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    if (signals.some((signal) => signal?.aborted)) return resolve();
    const done = () => {
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    for (const signal of signals) signal?.addEventListener('abort', done, { once: true });
  });
}

/** Exponential delays with full jitter: up to `firstMs`, then up to twice that, capped at `maxMs`. */
export function* backoff(firstMs: number, maxMs: number): Generator<number, never> {
  for (let ceiling = firstMs; ; ceiling = Math.min(maxMs, ceiling * 2)) yield Math.ceil(Math.random() * ceiling);
}
