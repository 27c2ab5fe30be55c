import type pg from 'pg';
import { InputError } from '../errors.js';
import type { ReadingOrigin } from '../domain/enums.js';
import { isUuid } from '../domain/uuid.js';
import type { CommittedColumns } from '../messaging/contracts.js';
import type { GroupMembers } from './group-members.js';

/** What a subscriber wants to see; all given conditions must hold, an absent one holds always. */
export interface ReadingFilterInput {
  meterDevices?: readonly string[] | null;
  taskGroups?: readonly string[] | null;
  series?: readonly string[] | null;
  origins?: readonly ReadingOrigin[] | null;
}

/** A subscriber's filter, compiled to sets. It decides on a register's share of a batch, never on single readings. */
export class ReadingFilter {
  private constructor(
    readonly organizationId: string,
    readonly meters: ReadonlySet<string> | undefined,
    readonly taskGroups: readonly string[] | undefined,
    readonly series: ReadonlySet<string> | undefined,
    private readonly origins: ReadonlySet<ReadingOrigin> | undefined,
    private readonly members: GroupMembers,
  ) {}

  /**
   * Follows the task groups of the filter until `release`.
   * @throws InputError `NOT_FOUND` naming the meters or task groups that the organization does not have
   */
  static async create(
    pool: pg.Pool,
    members: GroupMembers,
    organizationId: string,
    input: ReadingFilterInput,
  ): Promise<ReadingFilter> {
    const groups = unique(input.taskGroups);
    const meters = unique(input.meterDevices);
    await requireIds(pool, organizationId, 'meter_device', meters, 'filter.meterDevices');
    await requireIds(pool, organizationId, 'amr_task_group', groups, 'filter.taskGroups');
    const filter = new ReadingFilter(
      organizationId,
      meters && new Set(meters),
      groups,
      input.series ? new Set(input.series) : undefined,
      input.origins ? new Set(input.origins) : undefined,
      members,
    );
    try {
      if (groups) await members.follow(groups);
    } catch (error) {
      filter.release();
      throw error;
    }
    return filter;
  }

  matches(column: Pick<CommittedColumns, 'meter' | 'series' | 'origin'>): boolean {
    return (
      (this.meters?.has(column.meter) ?? true) &&
      (this.taskGroups?.some((group) => this.members.isMember(group, column.meter)) ?? true) &&
      (this.series?.has(column.series) ?? true) &&
      (this.origins?.has(column.origin) ?? true)
    );
  }

  /** Its task groups need not be followed for it any more. */
  release(): void {
    if (this.taskGroups) this.members.release(this.taskGroups);
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
