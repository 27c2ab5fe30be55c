import { z } from 'zod';
import type { Database } from '../db/database.js';
import { periodSeconds } from '../domain/schedule-limits.js';
import { parallelSessionsNeeded, segmentSeconds, slotSeconds } from '../domain/task-plan.js';
import type { AmrTaskService } from './amr-tasks.js';
import { parsePlannedTask, type PlannedTask } from './amr-tasks.js';
import { id, ids, merged, notFound, parseInput, requireUuid } from './input.js';
import { adviceFor, type NamedLoad } from './plan-advice.js';
import { sessionTime, type SessionTime } from './session-times.js';
import { reachOf, type Reach } from './task-reach.js';
import { WORKER_SILENT } from './worker-registry.js';

const MAX_METERS = 10_000;

const Whom = z.object({
  amrTask: id.nullish(),
  amrTaskGroups: ids.nullish(),
  meterDevices: z
    .array(id, { error: 'must be a list of ids' })
    .max(MAX_METERS, { error: `must have at most ${MAX_METERS} ids; put more meters into a task group` })
    .nullish(),
});
export type PlanAmrTask = Partial<PlannedTask> & z.input<typeof Whom>;

export interface AmrTaskPlan {
  readonly metersReached: number;
  readonly metersLeftOut: Pick<Reach, 'retired' | 'withoutInterface' | 'credentialsRejected'>;
  readonly sessionsPerSlot: number;
  readonly secondsPerSession: SessionTime;
  readonly pollerCapacity: number;
  /** Null when there are sessions and no poller. */
  readonly expectedDurationSeconds: number | null;
  readonly availableSeconds: number;
  readonly parallelSessionsNeeded: number;
  readonly hottestInterface: {
    readonly networkInterfaceId: string;
    readonly meters: number;
    readonly seconds: number;
  } | null;
  readonly hottestSegment: { readonly segmentId: string; readonly meters: number; readonly seconds: number } | null;
  readonly finishesBeforeNextSlot: boolean;
  readonly advice: readonly string[];
}

/** Works out, before a task is saved or changed, whether its slots can end in time. Changes nothing. */
export class TaskPlanService {
  constructor(
    private readonly database: Database,
    private readonly amrTasks: AmrTaskService,
  ) {}

  async plan(organizationId: string, input: PlanAmrTask): Promise<AmrTaskPlan> {
    const { amrTask, amrTaskGroups, meterDevices, ...fields } = input;
    const whom = parseInput(Whom, { amrTask, amrTaskGroups, meterDevices });
    const saved = whom.amrTask == null ? undefined : await this.requireTask(organizationId, whom.amrTask);
    // Null leaves a field as it is saved, but for the deadline: there it means none.
    const given = Object.fromEntries(
      Object.entries(fields).filter(([field, value]) => value !== null || field === 'deadlineSeconds'),
    );
    const task = parsePlannedTask(merged(saved ?? {}, given));
    await this.requireRows('amr_task_group', 'AmrTaskGroup', organizationId, whom.amrTaskGroups ?? [], 'amrTaskGroups');
    await this.requireRows('meter_device', 'MeterDevice', organizationId, whom.meterDevices ?? [], 'meterDevices');
    const { pool } = this.database;
    const [reach, secondsPerSession, pollerCapacity] = await Promise.all([
      reachOf(pool, organizationId, {
        groups: whom.amrTaskGroups ?? (saved ? await this.groupsOf(saved.id) : []),
        meters: whom.meterDevices ?? [],
        ofTask: whom.meterDevices == null ? saved?.id : undefined,
      }),
      sessionTime(pool, organizationId, task),
      this.pollerCapacity(),
    ]);
    return planOf(task, reach, secondsPerSession, pollerCapacity);
  }

  private async requireTask(organizationId: string, taskId: string) {
    const [task] = await this.amrTasks.byIds(organizationId, [taskId]);
    if (!task) throw notFound('AmrTask', taskId, 'input.amrTask');
    return task;
  }

  /** Throws `NOT_FOUND` naming the first of `rowIds` that is not there, and its place. */
  private async requireRows(
    table: 'amr_task_group' | 'meter_device',
    kind: string,
    organizationId: string,
    rowIds: readonly string[],
    field: string,
  ): Promise<void> {
    if (rowIds.length === 0) return;
    rowIds.forEach((rowId, index) => requireUuid(kind, rowId, `input.${field}.${index}`));
    const { rows } = await this.database.pool.query<{ place: number }>(
      `select i.place::int - 1 as place from unnest($1::uuid[]) with ordinality i (id, place)
       where not exists (select from ${table} t where t.id = i.id and t.organization_id = $2)
       order by 1 limit 1`,
      [rowIds, organizationId],
    );
    if (rows[0]) throw notFound(kind, rowIds[rows[0].place]!, `input.${field}.${rows[0].place}`);
  }

  private async groupsOf(taskId: string): Promise<string[]> {
    const { rows } = await this.database.pool.query<{ id: string }>(
      'select amr_task_group_id as id from amr_task_group_tasks where amr_task_id = $1',
      [taskId],
    );
    return rows.map((row) => row.id);
  }

  /** Scheduled sessions that the pollers heard of lately can hold; what they keep for other queues is not part of it. */
  private async pollerCapacity(): Promise<number> {
    const { rows } = await this.database.pool.query<{ sessions: number }>(
      `select coalesce(sum(max_sessions / cardinality(queues)), 0)::int as sessions from worker
       where kind = 'poller' and stopped_at is null and last_seen_at > now() - interval '${WORKER_SILENT}'
         and 'amr.scheduled' = any(queues)`,
    );
    return rows[0]!.sessions;
  }
}

function planOf(task: PlannedTask, reach: Reach, time: SessionTime, pollerCapacity: number): AmrTaskPlan {
  const { longestInterface, segments, retired, withoutInterface, credentialsRejected } = reach;
  const sessions = reach.meters - retired - withoutInterface - credentialsRejected;
  const period = periodSeconds(task.schedule);
  const load: NamedLoad = {
    sessions,
    secondsPerSession: time.expected,
    pollerCapacity,
    metersOnLongestInterface: longestInterface?.meters ?? 0,
    longestInterface: longestInterface ?? undefined,
    segments,
    availableSeconds: Math.min(period, task.deadlineSeconds ?? period),
  };
  const seconds = slotSeconds(load);
  const [hottest] = segments
    .map((segment) => ({
      segmentId: segment.id,
      meters: segment.meters,
      seconds: segmentSeconds(segment, time.expected),
    }))
    .sort((a, b) => b.seconds - a.seconds);
  return {
    metersReached: reach.meters,
    metersLeftOut: { retired, withoutInterface, credentialsRejected },
    sessionsPerSlot: sessions,
    secondsPerSession: time,
    pollerCapacity,
    expectedDurationSeconds: Number.isFinite(seconds) ? seconds : null,
    availableSeconds: load.availableSeconds,
    parallelSessionsNeeded: parallelSessionsNeeded(sessions, time.expected, load.availableSeconds),
    hottestInterface: longestInterface && {
      networkInterfaceId: longestInterface.id,
      meters: longestInterface.meters,
      seconds: longestInterface.meters * time.expected,
    },
    hottestSegment: hottest ?? null,
    finishesBeforeNextSlot: seconds <= period,
    advice: adviceFor(load),
  };
}
