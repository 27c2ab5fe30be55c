import { LRUCache } from 'lru-cache';

/** More than anybody cancels by hand; the scheduler repeats what matters, so one that is forgotten comes again. */
const MAX_KEPT = 20_000;
/** Longer than a session may wait in a queue. */
const KEPT_MS = 30 * 60_000;

/** Runs that were cancelled of late, also ones this poller does not carry: their session may be in a queue yet. */
export class CancelledRuns {
  private readonly runs = new LRUCache<string, true>({ max: MAX_KEPT, ttl: KEPT_MS });
  private readonly watchers = new Map<string, (run: string) => void>();

  add(runs: readonly string[]): void {
    for (const run of runs) this.runs.set(run, true);
    for (const run of runs) this.watchers.get(run)?.(run);
  }

  has(run: string): boolean {
    return this.runs.has(run);
  }

  /** Calls `onCancel` for each of `runs` that is cancelled from now on, and again for a repetition. Returns the end of it. */
  watch(runs: readonly string[], onCancel: (run: string) => void): () => void {
    for (const run of runs) this.watchers.set(run, onCancel);
    return () => {
      for (const run of runs) if (this.watchers.get(run) === onCancel) this.watchers.delete(run);
    };
  }
}
