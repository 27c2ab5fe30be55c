import { createHash } from 'node:crypto';
import type pg from 'pg';
import { z } from 'zod';
import type { AmrTask } from '../../entities/index.js';
import { readClock } from '../db/clock.js';
import { inTransaction, type Database } from '../db/database.js';
import { RunPartitions } from '../db/run-partitions.js';
import { groupMoments } from '../domain/invocation-moment.js';
import { instantOfUuid, leastUuidAt, uuidAt } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import type { Logger } from '../telemetry.js';
import type { AmrTaskGroupService } from './amr-task-groups.js';
import type { AmrTaskService } from './amr-tasks.js';
import { recordAudit } from './audit.js';
import { id, notFound, parseInput, requireUuid, text } from './input.js';
import { claimKey, runOfKey } from './invocation-keys.js';
import { ON_DEMAND_DEADLINE_SECONDS } from './invocation.js';
import type { RelationService } from './relations.js';
import { announceRuns } from './run-events.js';
import { NEW_RUN } from './run-hindrance.js';
import { requireTaskCall } from './task-call.js';

const MAX_GIVEN_METERS = 10_000;
/** Runs of one invocation: what one statement inserts well within its time. */
const MAX_RUNS = 300_000;
/**
 * Runs of one invocation that listeners are told of at once. They keep 10,000 ids at most, so that more would only push
 * out other news; the others are told of when they are dispatched, as any run.
 */
const MAX_ANNOUNCED = 5_000;
/** Taken off the priority of the tasks, which is 1,000 at most: below that of a single call, 0, for which somebody waits. */
const BEHIND_SINGLE_CALLS = 1_001;
/** Advisory locks of moments: taken for the time of one insert. */
const MOMENT_LOCK = 7_265_020;

const idsRule = `must be a list of 1 to ${MAX_GIVEN_METERS} ids; leave it out for all meters of the group`;
const GroupInvocation = z.object({
  amrTaskGroup: id,
  meterDevices: z
    .array(id, { error: idsRule })
    .min(1, { error: idsRule })
    .max(MAX_GIVEN_METERS, { error: idsRule })
    .nullish(),
  idempotencyKey: text(200).min(1, { error: 'must not be empty' }).nullish(),
});
export type InvokeAmrTaskGroup = z.input<typeof GroupInvocation>;

/** What an invocation made. Its runs are all runs of the organization with this `scheduledFor`. */
export interface InvokedGroup {
  readonly count: number;
  readonly scheduledFor: Date;
}

interface NewRuns {
  readonly tasks: readonly AmrTask[];
  readonly groupId: string;
  /** Null: those of the group. */
  readonly meterIds: readonly string[] | null;
  readonly key: IdempotencyKey | null;
}

/** A key, and what it is given for: the same key for something else is refused. */
interface IdempotencyKey {
  readonly text: string;
  readonly request: string;
}

/** Groups of tasks that somebody asks for at once. */
export class GroupInvocationService {
  private readonly partitions: RunPartitions;

  constructor(
    private readonly database: Database,
    private readonly broker: Broker,
    private readonly amrTaskGroups: AmrTaskGroupService,
    private readonly amrTasks: AmrTaskService,
    private readonly relations: RelationService,
    private readonly log: Logger,
  ) {
    this.partitions = new RunPartitions(database.pool);
  }

  /**
   * Makes a run of each active task of the group on each of its meters, or of those given, whatever the schedules and
   * offsets. A repeated `idempotencyKey` returns the runs of the first call, which must be the same.
   */
  async invokeAmrTaskGroup(organizationId: string, input: InvokeAmrTaskGroup): Promise<InvokedGroup> {
    const { amrTaskGroup, meterDevices, idempotencyKey } = parseInput(GroupInvocation, input);
    const key = idempotencyKey == null ? null : keyOf(idempotencyKey, amrTaskGroup, meterDevices);
    // A repeated call gets its runs, also where the group has changed by now.
    const earlier = key && (await runOfKey(this.database.pool, organizationId, key.text, key.request));
    if (earlier != null) return this.invokedBefore(organizationId, earlier);
    const { groupId, name, tasks } = await this.activeTasks(organizationId, amrTaskGroup);
    const meterIds = meterDevices ? await this.requireMeters(organizationId, meterDevices) : null;
    const meterCount = meterIds?.length ?? (await this.countMeters(groupId));
    if (meterCount === 0) {
      throw refusal(`${name} has no meters. Put some into it (updateMeterDevice, taskGroups), or give meterDevices.`);
    }
    if (meterCount * tasks.length > MAX_RUNS) {
      throw new InputError(
        'LIMIT_EXCEEDED',
        `${tasks.length} tasks on ${meterCount} meters are ${tasks.length * meterCount} runs; one invocation makes at most ${MAX_RUNS}. Give meterDevices, part by part.`,
        'input.meterDevices',
      );
    }
    const askedAt = await readClock(this.database.pool);
    return this.insertAtFreeMoment(organizationId, { tasks, groupId, meterIds, key }, askedAt.getTime());
  }

  /** What an earlier invocation made: all runs of the organization at its moment. */
  private async invokedBefore(organizationId: string, momentId: string): Promise<InvokedGroup> {
    const at = instantOfUuid(momentId)!;
    const scheduledFor = new Date(at);
    const { rows } = await this.database.pool.query<{ count: number }>(
      `select count(*)::int as count from task_run
        where scheduled_for = $1 and id >= $2 and id < $3 and (organization_id = $4) is true`,
      [scheduledFor, leastUuidAt(at), leastUuidAt(at + 1), organizationId],
    );
    return { count: rows[0]!.count, scheduledFor };
  }

  private async activeTasks(organizationId: string, groupId: string) {
    const field = 'input.amrTaskGroup';
    requireUuid('AmrTaskGroup', groupId, field);
    const [group] = await this.amrTaskGroups.byIds(organizationId, [groupId]);
    if (!group) throw notFound('AmrTaskGroup', groupId, field);
    const name = `AmrTaskGroup ${JSON.stringify(group.name)}`;
    const taskIds = (await this.relations.idsOf('tasksOfGroup', [group.id])).get(group.id) ?? [];
    if (taskIds.length === 0) throw refusal(`${name} has no tasks. Put some into it with updateAmrTaskGroup.`);
    const tasks = (await this.amrTasks.byIds(organizationId, taskIds)).filter(({ isActive }) => isActive);
    if (tasks.length === 0) {
      throw refusal(`${name} has inactive tasks only. Set isActive of those to carry out with updateAmrTask.`);
    }
    tasks.forEach(requireStillValid);
    return { groupId: group.id, name, tasks };
  }

  /** The distinct ids; throws `NOT_FOUND` naming the first meter that does not exist and its place. */
  private async requireMeters(organizationId: string, meterIds: readonly string[]): Promise<string[]> {
    const field = (index: number) => `input.meterDevices.${index}`;
    meterIds.forEach((meterId, index) => requireUuid('MeterDevice', meterId, field(index)));
    const { rows } = await this.database.pool.query<{ index: number }>(
      `select place::int - 1 as index from unnest($2::uuid[]) with ordinality as given (id, place)
        where not exists (select from meter_device m where m.id = given.id and m.organization_id = $1)
        order by place limit 1`,
      [organizationId, meterIds],
    );
    const [missing] = rows;
    if (missing) throw notFound('MeterDevice', meterIds[missing.index]!, field(missing.index));
    return [...new Set(meterIds.map((meterId) => meterId.toLowerCase()))];
  }

  private async countMeters(groupId: string): Promise<number> {
    const { rows } = await this.database.pool.query<{ count: number }>(
      'select count(*)::int as count from meter_device_task_groups where amr_task_group_id = $1',
      [groupId],
    );
    return rows[0]!.count;
  }

  private async insertAtFreeMoment(organizationId: string, runs: NewRuns, askedAt: number): Promise<InvokedGroup> {
    const begun = performance.now();
    for (const at of groupMoments(askedAt)) {
      const scheduledFor = new Date(at);
      await this.partitions.require(scheduledFor);
      const made = await inTransaction(this.database.pool, async (client) => {
        if (!(await takeMoment(client, organizationId, scheduledFor))) return undefined;
        if (runs.key) {
          // Taken for the moment: whoever asks with it again finds the runs by the time that the id carries.
          const moment = uuidAt(at);
          const owner = await claimKey(client, organizationId, runs.key.text, moment, runs.key.request);
          if (owner !== moment) return { earlier: owner };
        }
        const inserted = await insertRuns(client, scheduledFor, runs);
        if (inserted.count === 0) {
          throw refusal('All of the meters are RETIRED. Set lifeCycle of those to poll again to ACTIVE.');
        }
        await recordAudit(client, {
          organization: organizationId,
          action: 'invokeAmrTaskGroup',
          subjectType: 'AmrTaskGroup',
          subjectId: runs.groupId,
          after: {
            tasks: runs.tasks.map((task) => task.id),
            meterDevices: runs.meterIds?.length ?? 'all of the group',
            runs: inserted.count,
            scheduledFor,
          },
        });
        await client.query(`select pg_notify('amr_dispatch', '')`);
        return inserted;
      });
      if (!made) continue;
      if ('earlier' in made) return this.invokedBefore(organizationId, made.earlier);
      const { count, failed, announced } = made;
      const tasks = runs.tasks.map((task) => task.id);
      const ms = Math.round(performance.now() - begun);
      this.log.info({ group: runs.groupId, tasks, runs: count, failed, ms }, 'a group was invoked');
      await announceRuns(
        this.broker,
        announced.map((runId) => ({ id: runId, organization_id: organizationId })),
      );
      return { count, scheduledFor };
    }
    throw new InputError('CONFLICT', 'Groups are being invoked too often. Retry in a moment.', 'input');
  }
}

/**
 * Takes the moment for one invocation, until the transaction ends; false when another has it. The runs it makes are
 * then all that the organization has at this moment, and can be listed and counted by it.
 */
async function takeMoment(client: pg.ClientBase, organizationId: string, at: Date): Promise<boolean> {
  const key = Math.floor(at.getTime() / 10) % 2 ** 31;
  const { rows: locked } = await client.query<{ free: boolean }>('select pg_try_advisory_xact_lock($1, $2) as free', [
    MOMENT_LOCK,
    key,
  ]);
  if (!locked[0]!.free) return false;
  // A statement of its own, after the lock: it sees what the last holder of the lock has committed.
  const { rows: used } = await client.query(
    'select from task_run where organization_id = $1 and scheduled_for = $2 limit 1',
    [organizationId, at],
  );
  return used.length === 0;
}

async function insertRuns(client: pg.ClientBase, at: Date, { tasks, groupId, meterIds }: NewRuns) {
  const { rows } = await client.query<{ count: number; failed: number; announced: string[] }>(
    `with made as (
       insert into task_run (id, scheduled_for, organization_id, origin, meter_device_id, amr_task_id,
         meter_execution_type, task_call, task_kwargs, priority, not_before, deadline, ${NEW_RUN.columns})
       select uuid_v7_at($1), $1, t.organization_id, 'on_demand', m.id, t.id,
         t.meter_execution_type, t.task_call, t.task_kwargs, t.priority - $7::int, $1,
         $1::timestamptz + coalesce(t.deadline_seconds, $5) * interval '1 second', ${NEW_RUN.values}
       from amr_task t
       join meter_device m on m.organization_id = t.organization_id and m.life_cycle <> 'retired'
       ${NEW_RUN.join}
       where t.id = any($2::uuid[]) and m.id in (
         select meter_device_id from meter_device_task_groups where amr_task_group_id = $3 and $4::uuid[] is null
         union all
         select unnest($4::uuid[]))
       returning id, state
     )
     select count(*)::int as count, count(*) filter (where state = 'failed')::int as failed,
       -- Those first that nobody will tell of again.
       array(select id::text from made order by state = 'failed' desc limit $6) as announced
     from made`,
    [
      at,
      tasks.map((task) => task.id),
      groupId,
      meterIds,
      ON_DEMAND_DEADLINE_SECONDS,
      MAX_ANNOUNCED,
      BEHIND_SINGLE_CALLS,
    ],
  );
  return rows[0]!;
}

/** Ten thousand ids are too many to keep: their digest tells whether they are the same. */
function keyOf(key: string, groupId: string, meterIds: readonly string[] | null | undefined): IdempotencyKey {
  const meters = meterIds && [...new Set(meterIds.map((meterId) => meterId.toLowerCase()))].sort();
  const request = JSON.stringify([groupId.toLowerCase(), meters ?? null]);
  return { text: key, request: createHash('sha256').update(request).digest('hex') };
}

/** A task was valid when it was saved; its call may have changed since, with the version of this product. */
function requireStillValid(task: AmrTask): void {
  try {
    requireTaskCall(task);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw refusal(
      `AmrTask ${JSON.stringify(task.name)} of the group can no longer be carried out: ${error.message} Correct it with updateAmrTask, or set it inactive.`,
    );
  }
}

const refusal = (message: string) => new InputError('BAD_USER_INPUT', message, 'input.amrTaskGroup');
