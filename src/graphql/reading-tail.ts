import type pg from 'pg';
import type { Broker, Consumer } from '../messaging/broker.js';
import { CommittedMessage, decode } from '../messaging/contracts.js';
import type { Logger } from '../telemetry.js';
import { logBounds, readLogPage } from './log-pages.js';
import { RecentBatches, type LoggedBatch, type RecentLimits } from './recent-batches.js';

/** Bounds of the process's one store of recent batches, whatever the number of subscribers. */
const RECENT_LIMITS: RecentLimits = { batches: 10_000, bytes: 32_000_000 };

/** How long a broadcast that never came can hold readings back. */
const POLL_MS = 2_000;

export interface ReadingTailOptions {
  pool: pg.Pool;
  broker: Broker;
  log: Logger;
  /** @default 10,000 batches or 32 MB of JSON */
  limits?: RecentLimits;
  /** @default 2000 */
  pollMs?: number;
}

/**
 * Follows the reading log of all organizations, in order and without a gap. Broadcasts carry the batches; whatever they
 * miss is read from the log, at once when a later position shows it, else at the next poll.
 */
export class ReadingTail {
  readonly #listeners = new Set<() => void>();
  #listener: Consumer | undefined;
  #poll: NodeJS.Timeout | undefined;
  #reading = false;
  #behind = false;
  #closed = false;

  private constructor(
    /** Begins at the head of the log at the start. */
    readonly recent: RecentBatches,
    private readonly options: ReadingTailOptions,
  ) {}

  static async start(options: ReadingTailOptions): Promise<ReadingTail> {
    const { head } = await logBounds(options.pool, Number.MAX_SAFE_INTEGER);
    const tail = new ReadingTail(new RecentBatches(head, options.limits ?? RECENT_LIMITS), options);
    await tail.#follow();
    return tail;
  }

  async #follow(): Promise<void> {
    const { broker, pollMs = POLL_MS } = this.options;
    this.#listener = await broker.listen(
      'readings.committed',
      (body) => this.#onBroadcast(body),
      () => this.#readLog(),
    );
    this.#poll = setInterval(() => this.#readLog(), pollMs);
    // What was committed between reading the head and listening.
    this.#readLog();
  }

  /** Calls `listener` when `recent` has grown. */
  onGrown(listener: () => void): void {
    this.#listeners.add(listener);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #onBroadcast(body: Buffer): void {
    const decoded = decode(CommittedMessage, body);
    if (!decoded.ok) {
      this.options.log.warn({ reason: decoded.reason }, 'a broadcast of committed readings cannot be read');
      return;
    }
    const { position, organization, batch } = decoded.message;
    if (this.recent.append({ position, organization, batch, bytes: body.length })) this.#tell();
    else if (position > this.recent.head) this.#readLog();
  }

  /** Reads the log behind the head to its end. One at a time; a call meanwhile makes it look once more. */
  #readLog(): void {
    this.#behind = true;
    if (!this.#reading) void this.#readPages();
  }

  async #readPages(): Promise<void> {
    this.#reading = true;
    while (this.#behind && !this.#closed) {
      this.#behind = false;
      try {
        const page = await readLogPage(this.options.pool, this.recent.head + 1, this.options.log);
        for (const entry of page) this.#take(entry);
        if (page.length > 0) {
          this.#behind = true;
          this.#tell();
        }
      } catch (error) {
        if (!this.#closed) this.options.log.warn({ err: error }, 'the reading log cannot be read; trying again');
      }
    }
    this.#reading = false;
  }

  /** Batches that a broadcast brought while the page was read are left out; a hole in the log is a purged part. */
  #take(entry: LoggedBatch): void {
    if (entry.position > this.recent.head + 1) this.recent.restartAfter(entry.position - 1);
    this.recent.append(entry);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#poll);
    await this.#listener?.drain();
  }
}
