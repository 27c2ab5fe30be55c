/** What a lane holds: how many readings it is, so that batches and buffers can be bounded by them. */
export interface Sized {
  readonly size: number;
}

export interface LaneOptions<T> {
  /** Batches written at once. */
  readonly writers: number;
  /** Items in a batch, at most. */
  readonly maxItems: number;
  /** Readings in a batch, at most; an item is never split. */
  readonly maxSize: number;
  /** Whether so many readings may be begun with now. Call `pump` when that changes. @default always */
  readonly mayBegin?: (size: number) => boolean;
  /** Writes a batch. Must not reject. */
  readonly write: (batch: readonly T[]) => Promise<void>;
}

/** A queue whose items are written in batches, in order where there is one writer. */
export class Lane<T extends Sized> {
  private items: T[] = [];
  private readonly writing = new Set<Promise<void>>();
  /** Readings that wait. */
  waitingSize = 0;

  constructor(private readonly options: LaneOptions<T>) {}

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
    while (this.writing.size > 0) await Promise.all(this.writing);
  }

  /** Begins with what waits, as far as it may. */
  pump(): void {
    const { writers, mayBegin } = this.options;
    while (this.items.length > 0 && this.writing.size < writers && mayBegin?.(this.waitingSize) !== false) {
      const batch = this.take();
      const writing = this.options.write(batch).finally(() => {
        this.writing.delete(writing);
        this.pump();
      });
      this.writing.add(writing);
    }
  }

  private take(): T[] {
    const { maxItems, maxSize } = this.options;
    let size = 0;
    let count = 0;
    while (count < this.items.length && count < maxItems && size < maxSize) size += this.items[count++]!.size;
    this.waitingSize -= size;
    return this.items.splice(0, count);
  }
}
