import type pg from 'pg';
import { messageOf } from '../errors.js';
import type { Logger } from '../telemetry.js';

/** A meter that joins or leaves a task group without a word is seen within this time, while readings flow. */
const REFRESH_MS = 30_000;

interface Group {
  members: ReadonlySet<string>;
  followers: number;
  /** The first look at its members. */
  readonly loaded: Promise<void>;
}

/** Meters of the task groups that subscribers follow: each group is kept once, however many follow it. */
export class GroupMembers {
  readonly #groups = new Map<string, Group>();
  readonly #groupsOf = new Map<string, Set<string>>();
  #loadedAt = 0;
  #refreshing = false;

  constructor(
    private readonly pool: pg.Pool,
    private readonly log: Logger,
  ) {}

  /** Resolves when the members of the groups are known. Each call is answered by one of `release`, also when it fails. */
  async follow(ids: readonly string[]): Promise<void> {
    const fresh = ids.filter((id) => !this.#groups.has(id));
    const loaded = fresh.length === 0 ? Promise.resolve() : this.#load(fresh);
    for (const id of fresh) this.#groups.set(id, { members: new Set(), followers: 0, loaded });
    const groups = ids.map((id) => this.#groups.get(id)!);
    for (const group of groups) group.followers++;
    await Promise.all(groups.map((group) => group.loaded));
  }

  release(ids: readonly string[]): void {
    for (const id of ids) {
      const group = this.#groups.get(id);
      if (!group || --group.followers > 0) continue;
      this.#setMembers(id, group, new Set());
      this.#groups.delete(id);
    }
  }

  isMember(group: string, meter: string): boolean {
    return this.#groups.get(group)?.members.has(meter) ?? false;
  }

  /** The followed groups that a meter is in. */
  groupsOf(meter: string): Iterable<string> {
    return this.#groupsOf.get(meter) ?? [];
  }

  /** Members may have changed: they are read again with the next readings. */
  expire(): void {
    this.#loadedAt = -Infinity;
  }

  /** Reads the members again when that was some time ago. While the database is away the last ones stay. */
  refresh(): void {
    if (this.#groups.size === 0 || this.#refreshing || performance.now() - this.#loadedAt < REFRESH_MS) return;
    this.#refreshing = true;
    this.#load([...this.#groups.keys()])
      .catch((error: unknown) =>
        this.log.warn(
          { reason: messageOf(error) },
          'task groups of subscriptions cannot be read; keeping the last members',
        ),
      )
      .finally(() => (this.#refreshing = false));
  }

  async #load(ids: readonly string[]): Promise<void> {
    this.#loadedAt = performance.now();
    const { rows } = await this.pool.query<{ group: string; meters: string[] }>(
      `select amr_task_group_id as group, array_agg(meter_device_id::text) as meters
       from meter_device_task_groups where amr_task_group_id = any($1::uuid[]) group by 1`,
      [ids],
    );
    const found = new Map(rows.map(({ group, meters }) => [group, new Set(meters)]));
    for (const id of ids) {
      const group = this.#groups.get(id);
      if (group) this.#setMembers(id, group, found.get(id) ?? new Set());
    }
  }

  #setMembers(id: string, group: Group, members: ReadonlySet<string>): void {
    for (const meter of group.members) {
      if (members.has(meter)) continue;
      const groups = this.#groupsOf.get(meter)!;
      groups.delete(id);
      if (groups.size === 0) this.#groupsOf.delete(meter);
    }
    for (const meter of members) {
      const groups = this.#groupsOf.get(meter);
      if (groups) groups.add(id);
      else this.#groupsOf.set(meter, new Set([id]));
    }
    group.members = members;
  }
}
