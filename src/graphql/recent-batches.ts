import type { CommittedBatch } from '../messaging/contracts.js';

/** A numbered row of the reading log. */
export interface LoggedBatch {
  readonly position: number;
  readonly organization: string;
  readonly batch: CommittedBatch;
  /** Length of its JSON; in memory it takes about three times as much. */
  readonly bytes: number;
}

export interface RecentLimits {
  readonly batches: number;
  readonly bytes: number;
}

/** The newest batches without a gap, bounded by count and bytes; the newest one is always kept. */
export class RecentBatches {
  readonly #batches = new Map<number, LoggedBatch>();
  #oldest: number;
  #bytes = 0;

  /** @param head the last position that counts as seen; batches begin behind it */
  constructor(
    private lastPosition: number,
    readonly limits: RecentLimits,
  ) {
    this.#oldest = lastPosition + 1;
  }

  /** Position of the newest batch. */
  get head(): number {
    return this.lastPosition;
  }

  /** The batch at `position`, or undefined when it has left or has not come yet. */
  get(position: number): LoggedBatch | undefined {
    return this.#batches.get(position);
  }

  /** Takes the batch that follows the head and tells so; any other is left out. */
  append(entry: LoggedBatch): boolean {
    if (entry.position !== this.lastPosition + 1) return false;
    this.#batches.set(entry.position, entry);
    this.lastPosition = entry.position;
    this.#bytes += entry.bytes;
    while (this.#batches.size > 1 && (this.#batches.size > this.limits.batches || this.#bytes > this.limits.bytes)) {
      this.#bytes -= this.#batches.get(this.#oldest)!.bytes;
      this.#batches.delete(this.#oldest++);
    }
    return true;
  }

  /** Forgets all and continues behind `head`: what lies between no longer exists. */
  restartAfter(head: number): void {
    this.#batches.clear();
    this.#bytes = 0;
    this.lastPosition = head;
    this.#oldest = head + 1;
  }
}
