import { LRUCache } from 'lru-cache';
import type { Place } from '../domain/cursor.js';
import { EventTurns } from './event-turns.js';
import type { GroupMembers } from './group-members.js';
import { delivered } from './live-metrics.js';
import { ReadingRouter, type Route } from './reading-router.js';
import type { ReadingSubscriber } from './reading-subscriber.js';
import type { LoggedBatch, RecentBatches } from './recent-batches.js';
import type { ReplayLog } from './replay-log.js';
import type { Replays } from './replays.js';

/** The events of columns of a batch: by the column's place, one for each of its readings. */
export type ColumnEvents<E> = ReadonlyMap<number, readonly E[]>;

/** Makes the events of one selection, the same for all its subscribers. */
export interface ReadingRenderer<E> {
  /** Subscribers of equal keys see the same of each reading. */
  readonly key: string;
  render(entry: LoggedBatch, columns: readonly number[]): ColumnEvents<E> | Promise<ColumnEvents<E>>;
}

export interface ChannelSource {
  readonly recent: RecentBatches;
  readonly log: ReplayLog;
  readonly replays: Replays;
  readonly members: GroupMembers;
}

/** Of one selection; some MB of text. */
const MAX_KEPT_EVENTS = 5_000;

const deliveredReadings = delivered.labels({ subscription: 'meterReadingAdded' });

/**
 * The subscribers of one selection in one organization. It follows the recent batches at a pace of its own: each batch is routed once,
 * what somebody wants of it is rendered once, and sent to all who want it. A subscriber whose connection is full leaves with its place
 * alone, catches up from the log when there is room, and comes back.
 */
export class ReadingChannel<E> {
  readonly #router: ReadingRouter<ReadingSubscriber<E>>;
  /** Events made for those who lag. */
  readonly #kept = new LRUCache<number, readonly E[]>({
    maxSize: MAX_KEPT_EVENTS,
    sizeCalculation: (events) => events.length + 1,
  });
  /** Position of the batch that is routed next. */
  #next: number;
  #running = false;

  constructor(
    private readonly organizationId: string,
    private readonly renderer: ReadingRenderer<E>,
    private readonly source: ChannelSource,
  ) {
    this.#router = new ReadingRouter(source.members);
    this.#next = source.recent.head + 1;
  }

  /** Serves the subscriber from its place on. */
  add(subscriber: ReadingSubscriber<E>): void {
    if (this.#join(subscriber)) this.advance();
    else this.#replay(subscriber);
  }

  /** Takes out one that has ended. */
  remove(subscriber: ReadingSubscriber<E>): void {
    if (subscriber.live) this.#leave(subscriber, subscriber.place);
  }

  /** There are more recent batches. */
  advance(): void {
    if (!this.#running) void this.#run();
  }

  /** Whether the subscriber is at the channel's place, or before it: then it is served live from its own place on. */
  #join(subscriber: ReadingSubscriber<E>): boolean {
    const { recent } = this.source;
    const { position } = subscriber.place;
    if (this.#router.size === 0 && !this.#running) this.#next = recent.get(position) ? position : recent.head + 1;
    if (position < this.#next) return false;
    subscriber.live = true;
    this.#router.add(subscriber);
    return true;
  }

  #leave(subscriber: ReadingSubscriber<E>, place: Place): void {
    subscriber.live = false;
    subscriber.place = place;
    this.#router.remove(subscriber);
  }

  async #run(): Promise<void> {
    const { recent } = this.source;
    this.#running = true;
    try {
      while (this.#router.size > 0 && this.#next <= recent.head) {
        const entry = recent.get(this.#next);
        if (!entry) {
          this.#fallBehind();
          break;
        }
        this.#next++;
        if (entry.organization !== this.organizationId) continue;
        const routes = this.#router.route(entry);
        if (routes.length > 0) await this.#deliver(entry, routes);
      }
    } catch (error) {
      // Part of a batch was not sent: who comes back with the last cursor gets it.
      for (const subscriber of this.#router.all()) subscriber.end(error);
    } finally {
      this.#running = false;
    }
  }

  /** Rendering takes longer than recent batches last: each goes on by itself. */
  #fallBehind(): void {
    const place = { position: this.#next, taken: 0 };
    this.#next = this.source.recent.head + 1;
    for (const subscriber of [...this.#router.all()]) {
      this.#leave(subscriber, subscriber.place.position > place.position ? subscriber.place : place);
      this.#replay(subscriber);
    }
  }

  async #deliver(entry: LoggedBatch, routes: readonly Route<ReadingSubscriber<E>>[]): Promise<void> {
    const rendered = this.renderer.render(
      entry,
      routes.map(({ column }) => column),
    );
    const events = rendered instanceof Promise ? await rendered : rendered;
    const { starts, size } = extentOf(entry);
    const { position } = entry;
    const turns = new EventTurns();
    for (const { column, subscribers } of routes) {
      let passed = starts[column]!;
      for (const event of events.get(column)!) {
        passed++;
        const after = placeBehind(position, passed, size);
        for (const subscriber of subscribers) {
          // It may have left meanwhile, and even have come back.
          if (!subscriber.live || subscriber.hasPassed(position, passed)) continue;
          const { outlet } = subscriber;
          // A fast reader is only waiting for its turn to be written to.
          if (outlet.connection.full) await turns.pass();
          if (!subscriber.live) continue;
          if (outlet.connection.full) {
            this.#leave(subscriber, { position, taken: passed - 1 });
            this.#replay(subscriber);
          } else {
            outlet.send(event, after);
            deliveredReadings.inc();
          }
          if (turns.over()) await turns.pass();
        }
      }
    }
  }

  #replay(subscriber: ReadingSubscriber<E>): void {
    this.source.replays.add(subscriber.outlet.connection, subscriber, () => this.#catchUp(subscriber));
  }

  async #catchUp(subscriber: ReadingSubscriber<E>): Promise<void> {
    const { log } = this.source;
    const { connection } = subscriber.outlet;
    const turns = new EventTurns();
    while (!subscriber.ended && !connection.full) {
      if (this.#join(subscriber)) return this.advance();
      const { position } = subscriber.place;
      const entry = log.known(position) ?? (await log.read(position));
      if (entry.organization === this.organizationId && !(await this.#sendRest(subscriber, entry, turns))) return;
      subscriber.place = { position: position + 1, taken: 0 };
      if (turns.over()) await turns.pass();
    }
  }

  /** Whether everything that is left of the batch was sent; else the place says how far it came. */
  async #sendRest(subscriber: ReadingSubscriber<E>, entry: LoggedBatch, turns: EventTurns): Promise<boolean> {
    const { outlet, filter } = subscriber;
    const { position, batch } = entry;
    const { starts, size } = extentOf(entry);
    const columns = [...batch.columns.keys()].filter(
      (column) =>
        filter.matches(batch.columns[column]!) &&
        starts[column]! + batch.columns[column]!.t.length > subscriber.place.taken,
    );
    if (columns.length === 0) return true;
    const events = await this.#replayed(entry, columns);
    for (const column of columns) {
      let passed = starts[column]!;
      for (const event of events.get(column)!) {
        passed++;
        if (subscriber.hasPassed(position, passed)) continue;
        if (subscriber.ended) return false;
        if (outlet.connection.full) {
          subscriber.place = { position, taken: passed - 1 };
          return false;
        }
        outlet.send(event, placeBehind(position, passed, size));
        deliveredReadings.inc();
        if (turns.over()) await turns.pass();
      }
    }
    return true;
  }

  /** Those who lag tend to lag together. */
  async #replayed(entry: LoggedBatch, columns: readonly number[]): Promise<ColumnEvents<E>> {
    const events = new Map<number, readonly E[]>();
    const missing: number[] = [];
    for (const column of columns) {
      const kept = this.#kept.get(columnKey(entry.position, column));
      if (kept) events.set(column, kept);
      else missing.push(column);
    }
    if (missing.length === 0) return events;
    for (const [column, made] of await this.renderer.render(entry, missing)) {
      events.set(column, made);
      this.#kept.set(columnKey(entry.position, column), made);
    }
    return events;
  }
}

/** Of a column of a batch; a batch has fewer columns than this. */
function columnKey(position: number, column: number): number {
  return position * 100_000 + column;
}

/** Behind the last reading of a batch it is the beginning of the next one. */
export function placeBehind(position: number, passed: number, size: number): Place {
  return passed === size ? { position: position + 1, taken: 0 } : { position, taken: passed };
}

/** How many readings are before each column, and in all. */
export function extentOf({ batch }: LoggedBatch): { starts: readonly number[]; size: number } {
  let size = 0;
  const starts = batch.columns.map(({ t }) => {
    const start = size;
    size += t.length;
    return start;
  });
  return { starts, size };
}
