import { isDeepStrictEqual } from 'node:util';
import type pg from 'pg';
import { z } from 'zod';
import { MeterLifeCycle, RunOrigin, TaskRunState } from '../domain/enums.js';
import { singleCallMoments } from '../domain/invocation-moment.js';
import { MAX_INVOCATION_OFFSET_SECONDS } from '../domain/schedule-limits.js';
import { uuidAt } from '../domain/uuid.js';
import { readClock } from '../db/clock.js';
import { inTransaction, type Database } from '../db/database.js';
import { RunPartitions } from '../db/run-partitions.js';
import { InputError, type InputErrorCode } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import type { Logger } from '../telemetry.js';
import type { AmrTaskService } from './amr-tasks.js';
import { recordAudit, type Audited } from './audit.js';
import { id, jsonObject, notFound, parseInput, requireUuid, text, whole } from './input.js';
import { claimKey, runOfKey } from './invocation-keys.js';
import { announceRuns } from './run-events.js';
import { CREDENTIALS_CURE } from './run-hindrance.js';
import { requireTaskCall } from './task-call.js';
import type { TaskRunRow, TaskRunService } from './task-runs.js';

/** A person waits for it: a meter that cannot be reached within this time is reported, not tried all day. */
export const ON_DEMAND_DEADLINE_SECONDS = 600;

const Invocation = z.object({
  meterDevice: id,
  meterExecutionType: text(100),
  taskCall: text(100),
  taskKwargs: jsonObject.default({}),
  runOffsetSeconds: whole(0, MAX_INVOCATION_OFFSET_SECONDS).default(0),
  deadlineSeconds: whole(1, MAX_INVOCATION_OFFSET_SECONDS).nullish(),
  idempotencyKey: text(200).min(1, { error: 'must not be empty' }).nullish(),
});
export type InvokeTask = z.input<typeof Invocation>;

const idempotencyKey = Invocation.shape.idempotencyKey;

export interface InvokeAmrTask {
  amrTask: string;
  meterDevice: string;
  idempotencyKey?: string | null;
}

interface MeterState {
  name: string;
  life_cycle: string;
  reachable: boolean;
  credentials_rejected_at: Date | null;
}

interface NewRun extends z.output<typeof Invocation> {
  readonly amrTask: string | null;
}

/** Calls on meters that somebody asks for. They go first, and their runs can be watched from the first moment. */
export class InvocationService {
  private readonly partitions: RunPartitions;

  constructor(
    private readonly database: Database,
    private readonly broker: Broker,
    private readonly taskRuns: TaskRunService,
    private readonly amrTasks: AmrTaskService,
    private readonly log: Logger,
  ) {
    this.partitions = new RunPartitions(database.pool);
  }

  /** Makes a run of a call that belongs to no task. A repeated `idempotencyKey` returns the run of the first call, which must be the same. */
  async invokeTask(organizationId: string, input: InvokeTask): Promise<TaskRunRow> {
    const invocation = parseInput(Invocation, input);
    requireTaskCall(invocation);
    return this.makeRun(organizationId, { ...invocation, amrTask: null });
  }

  /** Makes a run of a saved task at once, whatever its schedule and offset. */
  async invokeAmrTask(organizationId: string, input: InvokeAmrTask): Promise<TaskRunRow> {
    const { amrTask, meterDevice } = input;
    requireUuid('AmrTask', amrTask, 'input.amrTask');
    const [task] = await this.amrTasks.byIds(organizationId, [amrTask]);
    if (!task) throw notFound('AmrTask', amrTask, 'input.amrTask');
    const { meterExecutionType, taskCall, taskKwargs, deadlineSeconds } = task;
    requireTaskCall(task);
    return this.makeRun(organizationId, {
      amrTask: task.id,
      meterDevice,
      meterExecutionType,
      taskCall,
      taskKwargs,
      deadlineSeconds,
      runOffsetSeconds: 0,
      idempotencyKey: parseInput(idempotencyKey, input.idempotencyKey, 'input.idempotencyKey'),
    });
  }

  private async makeRun(organizationId: string, run: NewRun): Promise<TaskRunRow> {
    const { idempotencyKey: key } = run;
    // A repeated call gets its run, also where that run is why the meter is left alone by now.
    const earlier = key == null ? undefined : await runOfKey(this.database.pool, organizationId, key);
    const runId = earlier ?? (await this.makeNewRun(organizationId, run));
    const [row] = await this.taskRuns.byIds(organizationId, [runId]);
    if (row) return requireSameCall(row, run);
    throw new InputError(
      'CONFLICT',
      'The run that input.idempotencyKey made is no longer kept. Use a new key.',
      'input.idempotencyKey',
    );
  }

  private async makeNewRun(organizationId: string, run: NewRun): Promise<string> {
    await this.requireReachable(organizationId, run.meterDevice);
    const askedAt = await readClock(this.database.pool);
    await this.partitions.require(askedAt);
    return this.insertAtFreeMoment(organizationId, run, askedAt.getTime());
  }

  private async insertAtFreeMoment(organizationId: string, run: NewRun, askedAt: number): Promise<string> {
    for (const at of singleCallMoments(askedAt)) {
      const runId = uuidAt(at);
      const outcome = await inTransaction(this.database.pool, async (client) => {
        const { idempotencyKey } = run;
        const owner = idempotencyKey == null ? runId : await claimKey(client, organizationId, idempotencyKey, runId);
        if (owner !== runId) return { runId: owner, isNew: false };
        const inserted = await insertRun(client, organizationId, run, runId, at);
        if (inserted) {
          await recordAudit(client, auditOf(organizationId, run, runId));
          await client.query(`select pg_notify('amr_dispatch', '')`);
        }
        return inserted ? { runId, isNew: true } : undefined;
      });
      if (!outcome) continue;
      if (outcome.isNew) {
        this.log.info({ run: runId, meter: run.meterDevice, call: run.taskCall }, 'a call was invoked');
        await announceRuns(this.broker, [{ id: runId, organization_id: organizationId }]);
      }
      return outcome.runId;
    }
    throw new InputError('CONFLICT', 'The task is being invoked on this meter too often. Retry in a moment.', 'input');
  }

  private async requireReachable(organizationId: string, meterId: string): Promise<void> {
    const field = 'input.meterDevice';
    requireUuid('MeterDevice', meterId, field);
    const { rows } = await this.database.pool.query<MeterState>(
      `select name, life_cycle, network_interface_id is not null as reachable, credentials_rejected_at
         from meter_device where id = $1 and organization_id = $2`,
      [meterId, organizationId],
    );
    const meter = rows[0];
    if (!meter) throw notFound('MeterDevice', meterId, field);
    const refuse = (message: string, code: InputErrorCode = 'BAD_USER_INPUT') =>
      new InputError(code, `MeterDevice ${JSON.stringify(meter.name)} ${message}`, field);
    if (meter.life_cycle === (MeterLifeCycle.RETIRED as string)) {
      throw refuse('is RETIRED. Set its lifeCycle to ACTIVE to poll it again.');
    }
    if (!meter.reachable) throw refuse('has no networkInterface. Give it one, so that it can be reached.');
    const rejectedAt = meter.credentials_rejected_at;
    if (rejectedAt) {
      const since = `refused its credentials at ${rejectedAt.toISOString()} and is left alone, as meters lock out`;
      throw refuse(`${since}: ${CREDENTIALS_CURE}.`, 'CONFLICT');
    }
  }
}

/** `row` when it is a run of the same call; a key that made another one cannot stand for this one. */
function requireSameCall(row: TaskRunRow, run: NewRun): TaskRunRow {
  // As the database gave it back: kwargs were text on the way.
  const kwargs: unknown = JSON.parse(JSON.stringify(run.taskKwargs));
  const same =
    row.meterDeviceId === run.meterDevice.toLowerCase() &&
    row.meterExecutionType === run.meterExecutionType &&
    row.taskCall === run.taskCall &&
    (run.amrTask === null || row.amrTaskId === run.amrTask) &&
    isDeepStrictEqual(row.taskKwargs, kwargs);
  if (same) return row;
  throw new InputError(
    'CONFLICT',
    `input.idempotencyKey belongs to another call: ${row.taskCall} on meter ${row.meterDeviceId} (run ${row.id}). Use a new key for a new call.`,
    'input.idempotencyKey',
  );
}

function auditOf(organization: string, run: NewRun, runId: string): Audited {
  const { amrTask, meterDevice, meterExecutionType, taskCall, taskKwargs, runOffsetSeconds } = run;
  return {
    organization,
    action: amrTask === null ? 'invokeTask' : 'invokeAmrTask',
    subjectType: 'TaskRun',
    subjectId: runId,
    after: { meterDevice, amrTask: amrTask ?? undefined, meterExecutionType, taskCall, taskKwargs, runOffsetSeconds },
  };
}

/** Inserts the run as of `at`; false when the task has a run on this meter at that very millisecond. */
async function insertRun(
  client: pg.PoolClient,
  organizationId: string,
  run: NewRun,
  runId: string,
  at: number,
): Promise<boolean> {
  const notBefore = at + run.runOffsetSeconds * 1000;
  const { rowCount } = await client.query(
    `insert into task_run (id, scheduled_for, organization_id, origin, state, meter_device_id, amr_task_id,
                           meter_execution_type, task_call, task_kwargs, not_before, deadline)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
     on conflict (amr_task_id, scheduled_for, meter_device_id) do nothing`,
    [
      runId,
      new Date(at),
      organizationId,
      RunOrigin.ON_DEMAND,
      TaskRunState.PENDING,
      run.meterDevice,
      run.amrTask,
      run.meterExecutionType,
      run.taskCall,
      JSON.stringify(run.taskKwargs),
      new Date(notBefore),
      new Date(notBefore + (run.deadlineSeconds ?? ON_DEMAND_DEADLINE_SECONDS) * 1000),
    ],
  );
  return rowCount === 1;
}
