import type { Database } from '../db/database.js';
import { TaskRunState, type RunOrigin } from '../domain/enums.js';
import { OrderDirection, type TaskRunOrderField } from '../domain/orderings.js';
import { instantOfUuid, leastUuidAt } from '../domain/uuid.js';
import { Conditions } from './conditions.js';
import { requireBoundedPages } from './nested-pages.js';
import { Ordering, type OrderBy, type Orderings } from './ordering.js';
import { Page, positionOf, wrongCursor, type PagePosition, type PageRequest } from './page.js';
import { SqlParameters } from './sql.js';
import type { TaskRunSelection } from './task-run-selection.js';

/** A row of `task_run`, as the API shows it. */
export interface TaskRunRow {
  readonly id: string;
  readonly origin: RunOrigin;
  readonly state: TaskRunState;
  readonly meterDeviceId: string;
  readonly amrTaskId: string | null;
  readonly meterExecutionType: string;
  readonly taskCall: string;
  readonly taskKwargs: Record<string, unknown>;
  readonly priority: number;
  readonly scheduledFor: Date;
  readonly notBefore: Date;
  readonly deadline: Date;
  readonly attempts: number;
  readonly cancelRequestedAt: Date | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly readingCount: number;
  readonly storedCount: number;
  readonly duplicateCount: number;
  readonly revisedCount: number;
  readonly rejectedCount: number;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly result: Record<string, unknown> | null;
}

/** Ids carry the slot: in their order runs are in that of time. */
const ORDERINGS: Orderings<TaskRunOrderField> = { SCHEDULED_FOR: 'id' };

/** States that have an index over their runs, each list as the index has it; runs that succeeded have none. */
const INDEXED_STATES: readonly (readonly TaskRunState[])[] = [
  [TaskRunState.PENDING],
  [TaskRunState.DISPATCHED, TaskRunState.RUNNING],
  [TaskRunState.FAILED, TaskRunState.EXPIRED, TaskRunState.CANCELLED],
];

/** What runs are listed under. */
export type RunParent = 'meterDevice' | 'amrTask';
const PARENT_COLUMN = { meterDevice: 'meter_device_id', amrTask: 'amr_task_id' } as const;

const COLUMNS = `r.id, r.origin, r.state, r.meter_device_id as "meterDeviceId", r.amr_task_id as "amrTaskId",
  r.meter_execution_type as "meterExecutionType", r.task_call as "taskCall", r.task_kwargs as "taskKwargs", r.priority,
  r.scheduled_for as "scheduledFor", r.not_before as "notBefore", r.deadline, r.attempts,
  r.cancel_requested_at as "cancelRequestedAt", r.started_at as "startedAt",
  r.finished_at as "finishedAt", r.reading_count as "readingCount", r.stored_count as "storedCount",
  r.duplicate_count as "duplicateCount", r.revised_count as "revisedCount", r.rejected_count as "rejectedCount",
  r.error_code as "errorCode", r.error_message as "errorMessage", r.result`;

/** Reads runs. Their table is partitioned by `scheduled_for`, which the ids carry: each look-up touches its months only. */
export class TaskRunService {
  constructor(private readonly database: Database) {}

  /** The runs that exist, in no particular order; unknown ids are left out. */
  async byIds(organizationId: string, ids: readonly string[]): Promise<TaskRunRow[]> {
    const known = ids.flatMap((id) => {
      const at = instantOfUuid(id);
      return at === undefined ? [] : [{ id, at }];
    });
    if (known.length === 0) return [];
    const times = known.map(({ at }) => at);
    const { rows } = await this.database.pool.query<TaskRunRow>(
      `select ${COLUMNS} from task_run r
        where r.organization_id = $1 and r.id = any($2::uuid[]) and r.scheduled_for between $3 and $4`,
      [organizationId, known.map(({ id }) => id), new Date(Math.min(...times)), new Date(Math.max(...times))],
    );
    return rows;
  }

  /** A page of the runs that match, newest first unless asked otherwise. */
  async page(
    organizationId: string,
    request: PageRequest,
    selection: TaskRunSelection = {},
    orderBy?: OrderBy<TaskRunOrderField> | null,
  ): Promise<Page<TaskRunRow>> {
    const ordering = new Ordering(ORDERINGS, orderBy, OrderDirection.DESC);
    const { size, after } = ordering.positionOf(request);
    const position = { size, after: after?.id };
    const parameters = new SqlParameters();
    const where = conditions(parameters, organizationId, selection);
    const { rows } = await this.database.pool.query<TaskRunRow>(
      pageSql(where, parameters, position, ordering.direction),
      parameters.values,
    );
    return new Page(
      rows,
      position,
      () => this.count(organizationId, selection),
      ({ id }) => ordering.cursorOf({ id, key: null }),
    );
  }

  /** A page of all runs of the organization at one instant, newest id first, of which there are `count`. */
  async pageAt(
    organizationId: string,
    request: PageRequest,
    { scheduledFor, count }: { scheduledFor: Date; count: number },
  ): Promise<Page<TaskRunRow>> {
    const position = positionOf(request);
    const [begin, end] = [leastUuidAt(scheduledFor.getTime()), leastUuidAt(scheduledFor.getTime() + 1)];
    const before = position.after === undefined || position.after > end ? end : position.after;
    const { rows } = await this.database.pool.query<TaskRunRow>(
      // The ids of one instant are a range of the primary key, in the order of the page. `is true` keeps the planner
      // from the index of the organization instead, and from sorting 100,000 runs for a page.
      `select ${COLUMNS} from task_run r
        where r.scheduled_for = $1 and r.id >= $2 and r.id < $3 and (r.organization_id = $4) is true
        order by r.id desc limit $5`,
      [scheduledFor, begin, before, organizationId, position.size + 1],
    );
    return new Page(rows, position, () => Promise.resolve(count));
  }

  /** The same page below each of many parents, in one statement. */
  async pagesOf(
    parent: RunParent,
    organizationId: string,
    parentIds: readonly string[],
    request: PageRequest,
    selection: TaskRunSelection,
    countOf: (parentId: string) => Promise<number>,
  ): Promise<Map<string, Page<TaskRunRow>>> {
    const position = positionOf(request);
    requireBoundedPages(parentIds.length, position.size);
    const parameters = new SqlParameters();
    const parents = parameters.add(parentIds);
    const where = [...conditions(parameters, organizationId, selection), `r.${PARENT_COLUMN[parent]} = parent.id`];
    const { rows } = await this.database.pool.query<TaskRunRow & { parentId: string }>(
      `select parent.id as "parentId", page.*
         from unnest(${parents}::uuid[]) as parent(id) cross join lateral (${pageSql(where, parameters, position)}) page
        order by parent.id, page."scheduledFor" desc, page.id desc`,
      parameters.values,
    );
    const grouped = new Map<string, TaskRunRow[]>(parentIds.map((id) => [id, []]));
    for (const row of rows) grouped.get(row.parentId)?.push(row);
    return new Map([...grouped].map(([id, runs]) => [id, new Page(runs, position, () => countOf(id))]));
  }

  /** How many runs match below each parent. */
  async countsOf(
    parent: RunParent,
    organizationId: string,
    parentIds: readonly string[],
    selection: TaskRunSelection,
  ): Promise<Map<string, number>> {
    const parameters = new SqlParameters();
    const column = `r.${PARENT_COLUMN[parent]}`;
    const where = [
      ...conditions(parameters, organizationId, selection),
      `${column} = any(${parameters.add(parentIds)}::uuid[])`,
    ];
    const { rows } = await this.database.pool.query<{ id: string; count: number }>(
      `select ${column} as id, count(*)::int as count from task_run r where ${where.join(' and ')} group by 1`,
      parameters.values,
    );
    return new Map(rows.map(({ id, count }) => [id, count]));
  }

  private async count(organizationId: string, selection: TaskRunSelection): Promise<number> {
    const parameters = new SqlParameters();
    const countOf = (counted: TaskRunSelection) =>
      `(select count(*) from task_run r where ${conditions(parameters, organizationId, counted).join(' and ')})`;
    const { states } = selection;
    // Runs that succeeded are most and in no index of their own: all runs less the others is an index's matter.
    const count = states?.includes(TaskRunState.SUCCEEDED)
      ? `${countOf({ ...selection, states: null })} - ${countOf({ ...selection, states: othersThan(states) })}`
      : countOf(selection);
    const { rows } = await this.database.pool.query<{ count: number }>(
      `select (${count})::int as count`,
      parameters.values,
    );
    return rows[0]!.count;
  }
}

/** Newest first from `position`, or oldest: by time and then id, as the indexes on (…, scheduled_for) give them. */
function pageSql(
  where: readonly string[],
  parameters: SqlParameters,
  { after, size }: PagePosition,
  direction: OrderDirection = OrderDirection.DESC,
): string {
  const all = [...where];
  if (after !== undefined) {
    const at = instantOfUuid(after);
    if (at === undefined) throw wrongCursor();
    const time = `${parameters.add(new Date(at))}::timestamptz`;
    // The plain bound lets the planner leave out the partitions before the page; the pair decides within one millisecond.
    const sign = direction === OrderDirection.DESC ? '<' : '>';
    all.push(
      `r.scheduled_for ${sign}= ${time}`,
      `(r.scheduled_for, r.id) ${sign} (${time}, ${parameters.add(after)}::uuid)`,
    );
  }
  return `select ${COLUMNS} from task_run r where ${all.join(' and ')}
    order by r.scheduled_for ${direction}, r.id ${direction} limit ${parameters.add(size + 1)}`;
}

function conditions(parameters: SqlParameters, organizationId: string, selection: TaskRunSelection): string[] {
  const { ids, states, errorCode, errorCodes, amrTaskGroup, networkInterface, segment } = selection;
  const where = new Conditions(parameters)
    .equals('r.organization_id', organizationId)
    .id('r.meter_device_id', selection.meterDevice)
    .ids('r.meter_device_id', selection.meterDevices)
    .id('r.amr_task_id', selection.amrTask)
    .ids('r.amr_task_id', selection.amrTasks)
    .equals('r.origin', selection.origin)
    .equals('r.meter_execution_type', selection.meterExecutionType)
    .equals('r.task_call', selection.taskCall)
    .equals('r.error_code', errorCode)
    .oneOf('r.error_code', errorCodes)
    .between('r.scheduled_for', selection.from, selection.to)
    .between('r.finished_at', selection.finishedFrom, selection.finishedTo)
    .related(
      amrTaskGroup,
      (id) => `r.amr_task_id in (select amr_task_id from amr_task_group_tasks where amr_task_group_id = ${id})
        and r.meter_device_id in (select meter_device_id from meter_device_task_groups where amr_task_group_id = ${id})`,
    )
    .related(
      networkInterface,
      (id) => `r.meter_device_id in (select id from meter_device where network_interface_id = ${id})`,
    )
    .related(
      segment,
      (id) => `r.meter_device_id in (
        select m.id from meter_device m join network_interface n on n.id = m.network_interface_id where n.segment_id = ${id})`,
    );
  const all = [where.sql];
  if (ids != null) all.push(...withIds(parameters, ids));
  if (states != null) all.push(inStates(parameters, states));
  if (errorCode != null || errorCodes != null) all.push(inStates(parameters, INDEXED_STATES[2]!));
  return all;
}

/** The instants that the ids carry leave out all other partitions. */
function withIds(parameters: SqlParameters, ids: readonly string[]): string[] {
  const known = ids.filter((id) => instantOfUuid(id) !== undefined);
  if (known.length === 0) return ['false'];
  const times = known.map((id) => instantOfUuid(id)!);
  return [
    `r.id = any(${parameters.add(known)}::uuid[])`,
    `r.scheduled_for between ${parameters.add(new Date(Math.min(...times)))} and ${parameters.add(new Date(Math.max(...times)))}`,
  ];
}

/** Written so that the planner sees which partial indexes hold the runs in these states. */
function inStates(parameters: SqlParameters, states: readonly TaskRunState[]): string {
  if (states.length === 0) return 'false';
  if (states.includes(TaskRunState.SUCCEEDED)) return `r.state = any(${parameters.add(states)})`;
  const lists = INDEXED_STATES.map((indexed) => indexed.filter((state) => states.includes(state)));
  const found = lists.filter((list) => list.length > 0).map((list) => `r.state in ('${list.join("', '")}')`);
  return `(${found.join(' or ')})`;
}

function othersThan(states: readonly TaskRunState[]): TaskRunState[] {
  return Object.values(TaskRunState).filter((state) => !states.includes(state));
}
