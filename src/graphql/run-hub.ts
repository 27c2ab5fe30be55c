import { LRUCache } from 'lru-cache';
import { matchesRun, RunInbox, type LoadRuns, type RunFilterInput, type RunRow } from './run-stream.js';

/** Ids of an organization that wait to be looked up; the oldest leave first, as at a slow subscriber. */
const MAX_IDS = 50_000;
/** Runs looked up by one query. */
const LOAD_CHUNK = 500;
/** Rows kept for those who are about to ask for them. */
const MAX_ROWS = 2_000;
const ROWS_MAX_AGE_MS = 5_000;

interface Subscriber {
  readonly inbox: RunInbox;
  readonly filter: RunFilterInput;
}

export interface RunHubOptions {
  readonly load: LoadRuns;
  /** Waits before a failed load is tried again. */
  readonly retry: (error: unknown, signal: AbortSignal) => Promise<void>;
}

/** All subscribers of runs of the process: what changes is read once, and told by meter and task to those whom it concerns. */
export class RunHub {
  readonly #organizations = new Map<string, OrganizationRuns>();
  readonly #closing = new AbortController();

  constructor(private readonly options: RunHubOptions) {}

  /** Tells an inbox of runs that match. Returns what ends it. */
  follow(organizationId: string, filter: RunFilterInput): { inbox: RunInbox; end: () => void } {
    const known = this.#organizations.get(organizationId);
    const runs = known ?? new OrganizationRuns(organizationId, this.options, this.#closing.signal);
    if (!known) this.#organizations.set(organizationId, runs);
    const subscriber = { inbox: new RunInbox(organizationId), filter };
    runs.add(subscriber);
    const end = () => {
      if (runs.remove(subscriber) === 0) this.#organizations.delete(organizationId);
    };
    return { inbox: subscriber.inbox, end };
  }

  changed(organizationId: string, ids: readonly string[]): void {
    this.#organizations.get(organizationId)?.changed(ids);
  }

  /** News may have been missed. */
  recheck(): void {
    for (const runs of this.#organizations.values()) runs.recheck();
  }

  /** As `load` of the options, with rows that have just been read. */
  readonly load: LoadRuns = async (organizationId, ids) => {
    const runs = this.#organizations.get(organizationId);
    const rows = ids.flatMap((id) => runs?.rows.get(id) ?? []);
    if (rows.length === ids.length) return rows;
    const known = new Set(rows.map(({ id }) => id));
    const missing = ids.filter((id) => !known.has(id));
    return [...rows, ...(await this.options.load(organizationId, missing))];
  };

  close(): void {
    this.#closing.abort();
  }
}

class OrganizationRuns {
  readonly rows = new LRUCache<string, RunRow>({ max: MAX_ROWS, ttl: ROWS_MAX_AGE_MS });
  readonly #byMeter = new Map<string, Set<Subscriber>>();
  readonly #byTask = new Map<string, Set<Subscriber>>();
  readonly #ofAll = new Set<Subscriber>();
  readonly #pending = new Set<string>();
  #size = 0;
  #loading = false;

  constructor(
    private readonly organizationId: string,
    private readonly options: RunHubOptions,
    private readonly signal: AbortSignal,
  ) {}

  add(subscriber: Subscriber): void {
    this.#size++;
    const { index, key } = this.#placeOf(subscriber);
    const entry = index?.get(key) ?? (index ? new Set<Subscriber>() : this.#ofAll);
    entry.add(subscriber);
    index?.set(key, entry);
  }

  /** Returns how many are left. */
  remove(subscriber: Subscriber): number {
    const { index, key } = this.#placeOf(subscriber);
    const entry = index ? index.get(key) : this.#ofAll;
    if (entry?.delete(subscriber)) this.#size--;
    if (entry?.size === 0) index?.delete(key);
    return this.#size;
  }

  changed(ids: readonly string[]): void {
    for (const id of ids) {
      this.rows.delete(id);
      this.#pending.add(id);
      if (this.#pending.size > MAX_IDS) this.#pending.delete(this.#pending.keys().next().value!);
    }
    if (!this.#loading) void this.#tell();
  }

  recheck(): void {
    this.rows.clear();
    for (const index of [this.#byMeter.values(), this.#byTask.values(), [this.#ofAll]])
      for (const subscribers of index) for (const { inbox } of subscribers) inbox.recheck();
  }

  async #tell(): Promise<void> {
    this.#loading = true;
    while (this.#pending.size > 0 && this.#size > 0 && !this.signal.aborted) {
      const ids = [...this.#pending].slice(0, LOAD_CHUNK);
      for (const id of ids) this.#pending.delete(id);
      try {
        const rows = await this.options.load(this.organizationId, ids);
        for (const row of rows) {
          // Changed again meanwhile: it is read again.
          if (!this.#pending.has(row.id)) this.rows.set(row.id, row);
          this.#offer(row);
        }
      } catch (error) {
        for (const id of ids) this.#pending.add(id);
        await this.options.retry(error, this.signal);
      }
    }
    this.#loading = false;
  }

  #offer(row: RunRow): void {
    const groups = [
      this.#byMeter.get(row.meterDeviceId),
      row.amrTaskId === null ? undefined : this.#byTask.get(row.amrTaskId),
      this.#ofAll,
    ];
    for (const subscribers of groups) {
      for (const { inbox, filter } of subscribers ?? []) if (matchesRun(filter, row)) inbox.add([row.id]);
    }
  }

  /** Under the narrowest condition of its filter. */
  #placeOf({ filter }: Subscriber): { index?: Map<string, Set<Subscriber>>; key: string } {
    if (filter.meterDevice != null) return { index: this.#byMeter, key: filter.meterDevice.toLowerCase() };
    if (filter.amrTask != null) return { index: this.#byTask, key: filter.amrTask.toLowerCase() };
    return { key: '' };
  }
}
