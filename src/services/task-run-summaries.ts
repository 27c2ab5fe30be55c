import type { Database } from '../db/database.js';
import { TaskRunState } from '../domain/enums.js';
import { isUuid } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import { SqlParameters } from './sql.js';

const DAY_MS = 86_400_000;
const MAX_PERIOD_DAYS = 400;
/** Failed and expired runs that one breakdown by error looks at, the newest of the period. */
const MAX_ERROR_RUNS = 100_000;

/** Scheduled runs of slots in [`from`, `to`). */
export interface Period {
  readonly from: Date;
  readonly to: Date;
}

/** What runs are summed up by: the organization as a whole, or each of these tasks or groups. */
export type SummaryScope =
  | { readonly by: 'organization' }
  | { readonly by: 'amrTask'; readonly ids: readonly string[] }
  /** With `amrTask`, only the runs of that task. */
  | { readonly by: 'amrTaskGroup'; readonly ids: readonly string[]; readonly amrTask?: string };

export interface ErrorCount {
  readonly code: string;
  readonly count: number;
}

/** How the runs of a period ended, or stand. The breakdown by error is read only when it is asked for. */
export class TaskRunSummary {
  constructor(
    private readonly counts: ReadonlyMap<TaskRunState, number>,
    private readonly loadErrors: () => Promise<ErrorCount[]>,
  ) {}

  get runs(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }
  get pending(): number {
    return this.of(TaskRunState.PENDING);
  }
  get dispatched(): number {
    return this.of(TaskRunState.DISPATCHED);
  }
  get running(): number {
    return this.of(TaskRunState.RUNNING);
  }
  get succeeded(): number {
    return this.of(TaskRunState.SUCCEEDED);
  }
  get failed(): number {
    return this.of(TaskRunState.FAILED);
  }
  get expired(): number {
    return this.of(TaskRunState.EXPIRED);
  }
  get cancelled(): number {
    return this.of(TaskRunState.CANCELLED);
  }

  get successRate(): number | null {
    const ended = this.succeeded + this.failed + this.expired;
    return ended === 0 ? null : this.succeeded / ended;
  }

  get errors(): Promise<ErrorCount[]> {
    return this.loadErrors();
  }

  private of(state: TaskRunState): number {
    return this.counts.get(state) ?? 0;
  }
}

/** The key of the only summary of a whole organization. */
export const WHOLE = '';

/**
 * Sums up scheduled runs by state: settled slots from their counts, the others run by run through the key (task, slot,
 * meter). A group's settled slots are counted for the meters that it held when the slot settled, the others for those it
 * holds now.
 */
export class TaskRunSummaryService {
  constructor(private readonly database: Database) {}

  /** By task, by group, by a task within a group, or of the whole organization. An unknown id has no runs. */
  async summary(
    organizationId: string,
    { amrTask, amrTaskGroup, ...period }: Period & { amrTask?: string | null; amrTaskGroup?: string | null },
  ): Promise<TaskRunSummary> {
    requirePeriod(period, 'filter.');
    // An id that is no UUID has no runs, as any other unknown id; the column would refuse it.
    if ([amrTask, amrTaskGroup].some((id) => id != null && !isUuid(id))) {
      return new TaskRunSummary(new Map(), async () => []);
    }
    let scope: SummaryScope = { by: 'organization' };
    if (amrTaskGroup != null) scope = { by: 'amrTaskGroup', ids: [amrTaskGroup], amrTask: amrTask ?? undefined };
    else if (amrTask != null) scope = { by: 'amrTask', ids: [amrTask] };
    const key = 'ids' in scope ? scope.ids[0]!.toLowerCase() : WHOLE;
    const counts = await this.counts(organizationId, scope, period);
    return new TaskRunSummary(
      counts.get(key) ?? new Map(),
      async () => (await this.errors(organizationId, scope, period)).get(key) ?? [],
    );
  }

  /** Counts by state of each id of the scope that has runs. */
  async counts(
    organizationId: string,
    scope: SummaryScope,
    period: Period,
  ): Promise<Map<string, Map<TaskRunState, number>>> {
    const parameters = new SqlParameters();
    const { rows } = await this.database.pool.query<{ key: string; state: TaskRunState; count: string }>(
      scope.by === 'amrTaskGroup'
        ? groupCountsSql(parameters, organizationId, scope, period)
        : taskCountsSql(parameters, organizationId, scope, period),
      parameters.values,
    );
    const counts = new Map<string, Map<TaskRunState, number>>();
    for (const { key, state, count } of rows) {
      const states = counts.get(key) ?? new Map<TaskRunState, number>();
      counts.set(key, states.set(state, (states.get(state) ?? 0) + Number(count)));
    }
    return counts;
  }

  /** Of each id of the scope that has any: its failed and expired runs by error code, most frequent first. */
  async errors(organizationId: string, scope: SummaryScope, period: Period): Promise<Map<string, ErrorCount[]>> {
    const parameters = new SqlParameters();
    const { rows } = await this.database.pool.query<{ key: string; code: string; count: string }>(
      errorsSql(parameters, organizationId, scope, period),
      parameters.values,
    );
    const errors = new Map<string, ErrorCount[]>();
    for (const { key, code, count } of rows) {
      const entry = { code, count: Number(count) };
      const known = errors.get(key);
      if (known) known.push(entry);
      else errors.set(key, [entry]);
    }
    return errors;
  }
}

/** Throws `BAD_USER_INPUT` for a period that is empty or longer than 400 days. */
export function requirePeriod({ from, to }: Period, path = ''): void {
  const days = (to.getTime() - from.getTime()) / DAY_MS;
  if (days > 0 && days <= MAX_PERIOD_DAYS) return;
  throw new InputError(
    'BAD_USER_INPUT',
    days > 0
      ? `${path}to must be at most ${MAX_PERIOD_DAYS} days after ${path}from; it is ${Math.ceil(days)} days. Ask for shorter periods and add them up.`
      : `${path}to must be after ${path}from.`,
    `${path}to`,
  );
}

/** The counts of settled slots in the rows of `source`, as rows (key, state, count). */
const settledSql = (key: string, source: string) =>
  `select ${key} as key, n.state, sum(n.count) as count
   from ${source}
   cross join lateral (values ('succeeded', s.succeeded_count), ('failed', s.failed_count),
     ('expired', s.expired_count), ('cancelled', s.cancelled_count)) n (state, count)
   group by 1, 2`;

/**
 * The runs of the slots that have not settled in the rows of `source`, as rows (key, state, count). Slot by slot: joined at
 * once, all runs there are were read.
 */
const liveSql = (key: string, source: string, member = '') =>
  `select ${key}, r.state, sum(r.count)
   from ${source}
   cross join lateral (
     select state, count(*) as count from task_run r ${member}
     where r.amr_task_id = s.amr_task_id and r.scheduled_for = s.scheduled_for
     group by 1
   ) r
   group by 1, 2`;

function within(parameters: SqlParameters, { from, to }: Period, column: string): string {
  return `${column} >= ${parameters.add(from)}::timestamptz and ${column} < ${parameters.add(to)}::timestamptz`;
}

function taskCountsSql(
  parameters: SqlParameters,
  organizationId: string,
  scope: Exclude<SummaryScope, { by: 'amrTaskGroup' }>,
  period: Period,
): string {
  const key = scope.by === 'amrTask' ? 's.amr_task_id::text' : `'${WHOLE}'`;
  const tasks =
    `select id from amr_task where organization_id = ${parameters.add(organizationId)}` +
    (scope.by === 'amrTask' ? ` and id = any(${parameters.add(scope.ids)}::uuid[])` : '');
  const inPeriod = within(parameters, period, 's.scheduled_for');
  const slots = (settled: boolean) =>
    `(select * from task_slot s
      where s.amr_task_id in (${tasks}) and ${inPeriod} and s.settled_at is ${settled ? 'not null' : 'null'}) s`;
  return `${settledSql(key, slots(true))} union all ${liveSql(key, slots(false))}`;
}

function groupCountsSql(
  parameters: SqlParameters,
  organizationId: string,
  scope: Extract<SummaryScope, { by: 'amrTaskGroup' }>,
  period: Period,
): string {
  const groups = `select id from amr_task_group
    where organization_id = ${parameters.add(organizationId)} and id = any(${parameters.add(scope.ids)}::uuid[])`;
  const inPeriod = within(parameters, period, 's.scheduled_for');
  const ofTask = scope.amrTask === undefined ? '' : ` and s.amr_task_id = ${parameters.add(scope.amrTask)}::uuid`;
  const settled = `(select * from task_slot_group s where s.amr_task_group_id in (${groups}) and ${inPeriod}${ofTask}) s`;
  const unsettled = `(
    select g.amr_task_group_id, s.amr_task_id, s.scheduled_for
    from amr_task_group_tasks g join task_slot s using (amr_task_id)
    where g.amr_task_group_id in (${groups}) and ${inPeriod}${ofTask} and s.settled_at is null) s`;
  const member = `join meter_device_task_groups m
    on m.meter_device_id = r.meter_device_id and m.amr_task_group_id = s.amr_task_group_id`;
  const key = 's.amr_task_group_id::text';
  return `${settledSql(key, settled)} union all ${liveSql(key, unsettled, member)}`;
}

/** The newest unsuccessful runs of each key, by the partial index on those. */
function errorsSql(parameters: SqlParameters, organizationId: string, scope: SummaryScope, period: Period): string {
  const conditions = [
    `r.organization_id = ${parameters.add(organizationId)}`,
    `r.state in ('failed', 'expired')`,
    `r.origin = 'scheduled'`,
    'r.amr_task_id is not null',
    within(parameters, period, 'r.scheduled_for'),
  ];
  let keys = `(values ('${WHOLE}')) k (id)`;
  if (scope.by !== 'organization') {
    keys = `unnest(${parameters.add(scope.ids)}::uuid[]) k (id)`;
    if (scope.by === 'amrTask') conditions.push('r.amr_task_id = k.id');
    else {
      conditions.push(
        'r.amr_task_id in (select amr_task_id from amr_task_group_tasks where amr_task_group_id = k.id)',
        `exists (select from meter_device_task_groups m
                 where m.amr_task_group_id = k.id and m.meter_device_id = r.meter_device_id)`,
      );
      if (scope.amrTask !== undefined) conditions.push(`r.amr_task_id = ${parameters.add(scope.amrTask)}::uuid`);
    }
  }
  return `select k.id::text as key, coalesce(e.error_code, 'INTERNAL') as code, count(*) as count
    from ${keys}
    cross join lateral (
      select r.error_code from task_run r where ${conditions.join(' and ')}
      order by r.scheduled_for desc limit ${MAX_ERROR_RUNS}
    ) e
    group by 1, 2 order by 1, 3 desc, 2`;
}
