import type pg from 'pg';
import { InputError, messageOf } from '../errors.js';
import type { ReadingOrigin } from '../domain/enums.js';
import { isUuid } from '../domain/uuid.js';
import type { CommittedColumns } from '../messaging/contracts.js';
import type { Logger } from '../telemetry.js';

/** What a subscriber wants to see; all given conditions must hold, an absent one holds always. */
export interface ReadingFilterInput {
  meterDevices?: readonly string[] | null;
  taskGroups?: readonly string[] | null;
  series?: readonly string[] | null;
  origins?: readonly ReadingOrigin[] | null;
}

/** A meter that joins or leaves a task group is seen within this time, while readings flow. */
const REFRESH_MS = 30_000;

/** A subscriber's filter, compiled to sets. It decides on a register's share of a batch, never on single readings. */
export class ReadingFilter {
  #groupMeters: ReadonlySet<string> | undefined;
  #refreshedAt = 0;

  private constructor(
    readonly organizationId: string,
    private readonly taskGroups: readonly string[] | undefined,
    private readonly meters: ReadonlySet<string> | undefined,
    private readonly series: ReadonlySet<string> | undefined,
    private readonly origins: ReadonlySet<ReadingOrigin> | undefined,
    private readonly pool: pg.Pool,
  ) {}

  /** @throws InputError `NOT_FOUND` naming the meters or task groups that the organization does not have */
  static async create(pool: pg.Pool, organizationId: string, input: ReadingFilterInput): Promise<ReadingFilter> {
    const groups = unique(input.taskGroups);
    const meters = unique(input.meterDevices);
    await requireIds(pool, organizationId, 'meter_device', meters, 'filter.meterDevices');
    await requireIds(pool, organizationId, 'amr_task_group', groups, 'filter.taskGroups');
    const filter = new ReadingFilter(
      organizationId,
      groups,
      meters && new Set(meters),
      input.series ? new Set(input.series) : undefined,
      input.origins ? new Set(input.origins) : undefined,
      pool,
    );
    await filter.#loadGroups();
    return filter;
  }

  matches(column: CommittedColumns): boolean {
    return (
      (this.meters?.has(column.meter) ?? true) &&
      (this.#groupMeters?.has(column.meter) ?? true) &&
      (this.series?.has(column.series) ?? true) &&
      (this.origins?.has(column.origin) ?? true)
    );
  }

  /** Resolves task groups again when that was some time ago. While the database is away the last answer stays. */
  async refresh(log: Logger): Promise<void> {
    if (!this.taskGroups || performance.now() - this.#refreshedAt < REFRESH_MS) return;
    try {
      await this.#loadGroups();
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'task groups of a subscription cannot be read; keeping the last members');
    }
  }

  async #loadGroups(): Promise<void> {
    if (!this.taskGroups) return;
    this.#refreshedAt = performance.now();
    const { rows } = await this.pool.query<{ id: string }>(
      'select distinct meter_device_id as id from meter_device_task_groups where amr_task_group_id = any($1::uuid[])',
      [this.taskGroups],
    );
    this.#groupMeters = new Set(rows.map(({ id }) => id));
  }
}

function unique(ids: readonly string[] | null | undefined): string[] | undefined {
  return ids ? [...new Set(ids.map((id) => id.toLowerCase()))] : undefined;
}

async function requireIds(
  pool: pg.Pool,
  organizationId: string,
  table: 'meter_device' | 'amr_task_group',
  ids: readonly string[] | undefined,
  field: string,
): Promise<void> {
  if (!ids || ids.length === 0) return;
  const { rows } = await pool.query<{ id: string }>(
    `select id from ${table} where organization_id = $1 and id = any($2::uuid[])`,
    [organizationId, ids.filter(isUuid)],
  );
  const found = new Set(rows.map(({ id }) => id));
  const missing = ids.filter((id) => !found.has(id));
  if (missing.length === 0) return;
  const shown = missing.slice(0, 5).join(', ') + (missing.length > 5 ? ` and ${missing.length - 5} more` : '');
  const kind = table === 'meter_device' ? 'meter device' : 'task group';
  throw new InputError('NOT_FOUND', `There is no ${kind} with id ${shown}.`, field);
}
