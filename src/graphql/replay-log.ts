import { GraphQLError } from 'graphql';
import { LRUCache } from 'lru-cache';
import type pg from 'pg';
import { encodeCursor } from '../domain/cursor.js';
import type { Logger } from '../telemetry.js';
import { logBounds, readLogPage } from './log-pages.js';
import type { LoggedBatch, RecentBatches } from './recent-batches.js';

/** Pages read at once, however many replay: what they hold is bounded by it, and the API keeps its connections. */
const MAX_READS = 4;

/** Batches of any age: from the recent ones, or read from the log, a page for all who are near its place. */
export class ReplayLog {
  readonly #kept: LRUCache<number, LoggedBatch>;
  readonly #reads = new Map<number, Promise<LoggedBatch>>();
  readonly #waiting: (() => void)[] = [];
  #reading = 0;

  constructor(
    private readonly pool: pg.Pool,
    private readonly recent: RecentBatches,
    private readonly log: Logger,
  ) {
    // Half as much again as the recent ones, for all who replay.
    this.#kept = new LRUCache({
      max: Math.max(1, Math.floor(recent.limits.batches / 2)),
      maxSize: Math.max(1, Math.floor(recent.limits.bytes / 2)),
      sizeCalculation: ({ bytes }) => Math.max(1, bytes),
    });
  }

  /** The batch where it is at hand. */
  known(position: number): LoggedBatch | undefined {
    return this.recent.get(position) ?? this.#kept.get(position);
  }

  /** @throws GraphQLError `CURSOR_EXPIRED` when the log has been purged past `position` */
  async read(position: number): Promise<LoggedBatch> {
    const known = this.known(position) ?? this.#reads.get(position);
    if (known) return known;
    const read = this.#readPage(position).finally(() => this.#reads.delete(position));
    this.#reads.set(position, read);
    return read;
  }

  async #readPage(position: number): Promise<LoggedBatch> {
    if (this.#reading >= MAX_READS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#reading++;
    try {
      const known = this.known(position); // another page, read meanwhile, may have held it
      if (known) return known;
      const page = await readLogPage(this.pool, position, this.log);
      const [first] = page;
      if (first?.position !== position) throw cursorExpired((await logBounds(this.pool, position)).next);
      for (const entry of page) this.#kept.set(entry.position, entry);
      return first;
    } finally {
      this.#reading--;
      this.#waiting.shift()?.();
    }
  }
}

export function cursorExpired(oldestPosition: number): GraphQLError {
  return new GraphQLError(
    'The readings behind this cursor are no longer in the log. Read them with the query readings, and go on live from oldestCursor.',
    {
      extensions: {
        code: 'CURSOR_EXPIRED',
        field: 'after',
        oldestCursor: encodeCursor({ position: oldestPosition, taken: 0 }),
      },
    },
  );
}
