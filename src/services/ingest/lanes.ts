/** What waits to be written: how many readings it is, so that batches and buffers can be bounded by them. */
export interface Sized {
  readonly size: number;
}

export interface LanesOptions<T> {
  /** What is in the same lane is written in the order of arrival, where a lane has one writer. */
  readonly lanes: number;
  /** Batches of one lane written at once. */
  readonly writersPerLane: number;
  /** Items in a batch, at most. */
  readonly maxItems: number;
  /** Readings in a batch, at most; an item is never split. */
  readonly maxSize: number;
  /** The lane of an item, below `lanes`. */
  readonly laneOf: (item: T) => number;
  /** Writes a batch. Must not reject. */
  readonly write: (batch: readonly T[]) => Promise<void>;
}

/** All lanes: a batch of items in the order of arrival, whatever their lanes. */
const ALL = -1;

/**
 * A queue whose items are written in batches. Side by side are only full batches: with less waiting, one batch takes of all lanes
 * what there is and is written alone. Two small batches would cost more than one twice as large; and as it takes the oldest, what
 * it acknowledges has no gap, so that the broker sends more at once.
 */
export class Lanes<T extends Sized> {
  private items: T[] = [];
  /** The lanes of the batches that are being written. */
  private readonly writing = new Map<Promise<void>, number>();
  /** Readings that wait. */
  waitingSize = 0;

  constructor(private readonly options: LanesOptions<T>) {}

  push(items: readonly T[]): void {
    for (const item of items) {
      this.items.push(item);
      this.waitingSize += item.size;
    }
    this.pump();
  }

  /** Takes back what no writer has begun with. */
  withdraw(): T[] {
    this.waitingSize = 0;
    return this.items.splice(0);
  }

  /** Resolves when no batch is being written. */
  async idle(): Promise<void> {
    while (this.writing.size > 0) await Promise.all(this.writing.keys());
  }

  private pump(): void {
    for (let lane = this.next(); lane !== undefined; lane = this.next()) {
      const batch = this.take(lane);
      const writing = this.options.write(batch).finally(() => {
        this.writing.delete(writing);
        this.pump();
      });
      this.writing.set(writing, lane);
    }
  }

  /** The lane to write of now; undefined when nothing may be begun. */
  private next(): number | undefined {
    const { lanes, writersPerLane, maxSize } = this.options;
    if (this.items.length === 0) return undefined;
    const busy = [...this.writing.values()];
    if (busy.length === 0) return lanes > 1 && this.waitingSize >= lanes * maxSize ? this.fullLane(busy) : ALL;
    if (lanes === 1) return busy.length < writersPerLane && this.waitingSize >= maxSize ? ALL : undefined;
    return busy.includes(ALL) ? undefined : this.fullLane(busy);
  }

  /** A lane without a writer that can fill a batch. */
  private fullLane(busy: readonly number[]): number | undefined {
    const { lanes, maxSize, laneOf } = this.options;
    if (this.waitingSize < maxSize) return undefined;
    const sizes = new Array<number>(lanes).fill(0);
    for (const item of this.items) {
      const lane = laneOf(item);
      sizes[lane]! += item.size;
      if (sizes[lane]! >= maxSize && !busy.includes(lane)) return lane;
    }
    return busy.length === 0 ? ALL : undefined;
  }

  private take(lane: number): T[] {
    const { laneOf } = this.options;
    const batch =
      lane === ALL ? this.first(this.items) : this.first(this.items.filter((item) => laneOf(item) === lane));
    if (lane === ALL) this.items.splice(0, batch.length);
    else {
      const taken = new Set(batch);
      this.items = this.items.filter((item) => !taken.has(item));
    }
    for (const { size } of batch) this.waitingSize -= size;
    return batch;
  }

  /** As many of these as a batch may hold. */
  private first(items: readonly T[]): T[] {
    const { maxItems, maxSize } = this.options;
    let size = 0;
    let count = 0;
    while (count < items.length && count < maxItems && size < maxSize) size += items[count++]!.size;
    return items.slice(0, count);
  }
}
