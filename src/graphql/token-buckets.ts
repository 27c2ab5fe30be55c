import { LRUCache } from 'lru-cache';

/** Callers remembered; the one not seen for longest is forgotten, which only gives it a full bucket. */
const MAX_CALLERS = 10_000;
/** How many seconds' worth a caller that was silent may send at once. */
const BURST_SECONDS = 10;

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

/** A token bucket for each caller: `rate` a second in the long run, ten times as many at once. */
export class TokenBuckets {
  private readonly buckets = new LRUCache<string, Bucket>({ max: MAX_CALLERS });
  private readonly capacity: number;

  /** @param rate per second; 0 lets everything pass */
  constructor(
    private readonly rate: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.capacity = rate * BURST_SECONDS;
  }

  /** Takes one; returns 0, or how many seconds to wait before the next try. */
  take(caller: string): number {
    if (this.rate === 0) return 0;
    const now = this.now();
    const bucket = this.buckets.get(caller) ?? { tokens: this.capacity, filledAtMs: now };
    bucket.tokens = Math.min(this.capacity, bucket.tokens + ((now - bucket.filledAtMs) * this.rate) / 1000);
    bucket.filledAtMs = now;
    this.buckets.set(caller, bucket);
    if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / this.rate));
    bucket.tokens--;
    return 0;
  }
}
