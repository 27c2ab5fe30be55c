import type { GroupMembers } from './group-members.js';
import type { ReadingFilter } from './reading-filter.js';
import type { LoggedBatch } from './recent-batches.js';

interface Routed {
  readonly filter: Pick<ReadingFilter, 'meters' | 'taskGroups' | 'series' | 'matches'>;
}

/** Who gets the readings of a column of a batch, by its place. */
export interface Route<S> {
  readonly column: number;
  readonly subscribers: readonly S[];
}

/**
 * Finds the subscribers of a reading by what it is, so that it costs the same whether ten or ten thousand ask for others. Each
 * is kept under the narrowest condition of its filter: meters, task groups, series, none.
 */
export class ReadingRouter<S extends Routed> {
  readonly #byMeter = new Map<string, Set<S>>();
  readonly #byGroup = new Map<string, Set<S>>();
  readonly #bySeries = new Map<string, Set<S>>();
  readonly #ofAll = new Set<S>();
  #size = 0;

  constructor(private readonly members: Pick<GroupMembers, 'groupsOf'>) {}

  get size(): number {
    return this.#size;
  }

  add(subscriber: S): void {
    this.#size++;
    const { index, keys } = this.#placeOf(subscriber);
    if (!index) this.#ofAll.add(subscriber);
    else {
      for (const key of keys) {
        const entry = index.get(key);
        if (entry) entry.add(subscriber);
        else index.set(key, new Set([subscriber]));
      }
    }
  }

  /** Takes out one that was added. */
  remove(subscriber: S): void {
    this.#size--;
    const { index, keys } = this.#placeOf(subscriber);
    if (!index) this.#ofAll.delete(subscriber);
    else {
      for (const key of keys) {
        const entry = index.get(key);
        entry?.delete(subscriber);
        if (entry?.size === 0) index.delete(key);
      }
    }
  }

  *all(): Iterable<S> {
    const seen = new Set(this.#ofAll);
    for (const index of [this.#byMeter, this.#byGroup, this.#bySeries]) {
      for (const entry of index.values()) for (const subscriber of entry) seen.add(subscriber);
    }
    yield* seen;
  }

  /** The columns of a batch that somebody wants, in order. */
  route(entry: LoggedBatch): Route<S>[] {
    const { columns } = entry.batch;
    const routes: Route<S>[] = [];
    for (const column of this.#candidates(entry)) {
      const { meter, series } = columns[column]!;
      const found = new Set<S>();
      const offer = (subscribers: Iterable<S> | undefined) => {
        for (const subscriber of subscribers ?? []) {
          if (subscriber.filter.matches(columns[column]!)) found.add(subscriber);
        }
      };
      offer(this.#byMeter.get(meter));
      if (this.#byGroup.size > 0) for (const group of this.members.groupsOf(meter)) offer(this.#byGroup.get(group));
      offer(this.#bySeries.get(series));
      offer(this.#ofAll);
      if (found.size > 0) routes.push({ column, subscribers: [...found] });
    }
    return routes;
  }

  /** Where all ask for few meters, the columns of these; else all. */
  #candidates(entry: LoggedBatch): Iterable<number> {
    const { columns } = entry.batch;
    const others = this.#byGroup.size + this.#bySeries.size + this.#ofAll.size;
    if (others > 0 || this.#byMeter.size >= columns.length) return columns.keys();
    const ofMeter = columnsByMeter(entry);
    return [...this.#byMeter.keys()].flatMap((meter) => ofMeter.get(meter) ?? []).sort((a, b) => a - b);
  }

  #placeOf({ filter }: S): { index?: Map<string, Set<S>>; keys: Iterable<string> } {
    if (filter.meters) return { index: this.#byMeter, keys: filter.meters };
    if (filter.taskGroups) return { index: this.#byGroup, keys: filter.taskGroups };
    if (filter.series) return { index: this.#bySeries, keys: filter.series };
    return { keys: [] };
  }
}

const byMeter = new WeakMap<LoggedBatch, ReadonlyMap<string, readonly number[]>>();

/** Made once for all who look. */
function columnsByMeter(entry: LoggedBatch): ReadonlyMap<string, readonly number[]> {
  const known = byMeter.get(entry);
  if (known) return known;
  const made = new Map<string, number[]>();
  entry.batch.columns.forEach(({ meter }, column) => {
    const columns = made.get(meter);
    if (columns) columns.push(column);
    else made.set(meter, [column]);
  });
  byMeter.set(entry, made);
  return made;
}
