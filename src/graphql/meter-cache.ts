import { LRUCache } from 'lru-cache';
import type { MeterDevice } from '../../entities/index.js';

/** Cached rows may be this old; a change that was announced is seen at once. */
const MAX_AGE_MS = 300_000;
const MAX_METERS = 50_000;
/** Changes remembered for rows that are being read at that moment. */
const MAX_CHANGES = 100_000;

/**
 * What is kept of a meter: all that changes through the API alone, which announces it. Life cycle, clock deviation and rejected
 * credentials change by what pollers report, without a word.
 */
export const CACHED_FIELDS = [
  'id',
  'name',
  'serialNumber',
  'manufacturer',
  'model',
  'externalReference',
  'protocolAddress',
  'timeZone',
  'currentTransformerRatio',
  'voltageTransformerRatio',
  'version',
  'createdAt',
  'updatedAt',
] as const satisfies readonly (keyof MeterDevice)[];

export type CachedMeter = Readonly<Pick<MeterDevice, (typeof CACHED_FIELDS)[number]>>;

/** Reads the rows of these meters, in any order; ids that do not exist are left out. */
export type LoadMeters = (organizationId: string, ids: readonly string[]) => Promise<MeterDevice[]>;

/** Meters that live readings were of lately, for all subscribers of the process. */
export class MeterCache {
  readonly #meters = new LRUCache<string, { meter: CachedMeter; loadedAt: number }>({
    max: MAX_METERS,
    ttl: MAX_AGE_MS,
  });
  readonly #loads = new Map<string, Promise<unknown>>();
  /** By meter or organization: when it last changed. */
  readonly #changes = new LRUCache<string, number>({ max: MAX_CHANGES, ttl: MAX_AGE_MS });

  constructor(private readonly loadRows: LoadMeters) {}

  get(organizationId: string, id: string): CachedMeter | undefined {
    const key = `${organizationId} ${id}`;
    const known = this.#meters.get(key);
    if (known === undefined) return undefined;
    const changedAt = Math.max(this.#changes.get(id) ?? 0, this.#changes.get(organizationId) ?? 0);
    if (changedAt < known.loadedAt) return known.meter;
    this.#meters.delete(key);
    return undefined;
  }

  /** Reads meters that are not cached, in one statement; whoever asks for one that is being read waits for it. */
  async load(organizationId: string, ids: readonly string[]): Promise<void> {
    const missing = new Set<string>();
    const waits = new Set<Promise<unknown>>();
    for (const id of new Set(ids)) {
      if (this.get(organizationId, id)) continue;
      const load = this.#loads.get(`${organizationId} ${id}`);
      if (load) waits.add(load);
      else missing.add(id);
    }
    if (missing.size > 0) {
      const load = this.#read(organizationId, [...missing]).finally(() => {
        for (const id of missing) this.#loads.delete(`${organizationId} ${id}`);
      });
      for (const id of missing) this.#loads.set(`${organizationId} ${id}`, load);
      waits.add(load);
    }
    await Promise.all(waits);
  }

  /** Rows of these meters, or of the whole organization, changed. */
  forget(organizationId: string, meters?: readonly string[]): void {
    const now = performance.now();
    for (const id of meters ?? [organizationId]) this.#changes.set(id, now);
  }

  /** Changes may have been missed. */
  forgetAll(): void {
    this.#meters.clear();
  }

  async #read(organizationId: string, ids: readonly string[]): Promise<void> {
    // Stamped before it is read: what changes meanwhile is read again at the next look.
    const loadedAt = performance.now();
    for (const row of await this.loadRows(organizationId, ids)) {
      // Not the row itself: it holds on to all that it was loaded with.
      const meter = Object.fromEntries(CACHED_FIELDS.map((field) => [field, row[field]])) as unknown as CachedMeter;
      this.#meters.set(`${organizationId} ${row.id}`, { meter, loadedAt });
    }
  }
}
