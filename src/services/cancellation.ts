import { FINAL_RUN_STATES, TaskRunState } from '../domain/enums.js';
import { instantOfUuid } from '../domain/uuid.js';
import { inTransaction, type Database } from '../db/database.js';
import { InputError } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import type { Logger } from '../telemetry.js';
import { recordAudit } from './audit.js';
import { broadcastCancel } from './cancel-requests.js';
import { notFound } from './input.js';
import { announceRuns } from './run-events.js';
import type { TaskRunRow, TaskRunService } from './task-runs.js';

const FIELD = 'input.id';

/** Withdraws runs that have not ended. */
export class CancellationService {
  constructor(
    private readonly database: Database,
    private readonly broker: Broker,
    private readonly taskRuns: TaskRunService,
    private readonly log: Logger,
  ) {}

  /**
   * Cancels a run that waits, at once. One that a poller may carry is asked for: it stays in its state until the poller
   * confirms, or until its try has ended. A run that is cancelled already is returned as it is; one that ended otherwise
   * is a `CONFLICT`.
   */
  async cancelTaskRun(organizationId: string, input: { id: string }): Promise<TaskRunRow> {
    // As pollers know it: they compare text.
    const id = input.id.toLowerCase();
    const at = instantOfUuid(id);
    if (at === undefined) throw notFound('TaskRun', id, FIELD);
    const state = await this.request(organizationId, id, new Date(at));
    if (state === undefined) throw notFound('TaskRun', id, FIELD);
    if (state !== TaskRunState.CANCELLED && FINAL_RUN_STATES.has(state)) {
      throw new InputError('CONFLICT', `The run is ${state.toUpperCase()} and cannot be cancelled any more.`, FIELD);
    }
    if (state !== TaskRunState.CANCELLED) {
      this.log.info({ run: id, state }, 'a run is to be cancelled');
      if (state !== TaskRunState.PENDING) await broadcastCancel(this.broker, [id]);
      await announceRuns(this.broker, [{ id, organization_id: organizationId }]);
    }
    const [row] = await this.taskRuns.byIds(organizationId, [id]);
    if (!row) throw notFound('TaskRun', id, FIELD);
    return row;
  }

  /** The state the run was found in, undefined for none. The dispatcher claims under the same lock: it has it, or it never gets it. */
  private request(organizationId: string, id: string, scheduledFor: Date): Promise<TaskRunState | undefined> {
    return inTransaction(this.database.pool, async (client) => {
      const key = [id, scheduledFor];
      const { rows } = await client.query<{ state: TaskRunState }>(
        'select state from task_run where id = $1 and scheduled_for = $2 and organization_id = $3 for update',
        [...key, organizationId],
      );
      const state = rows[0]?.state;
      if (state === TaskRunState.PENDING) {
        await client.query(
          `update task_run set state = 'cancelled', cancel_requested_at = now(), finished_at = now(), error_code = 'CANCELLED',
             error_message = case when attempts = 0 then 'cancelled before it was sent to a poller'
               else 'cancelled before it was sent to a poller again; the last of ' || attempts || ' tries said: ' || coalesce(error_message, 'nothing') end
           where id = $1 and scheduled_for = $2`,
          key,
        );
      } else if (state !== undefined && !FINAL_RUN_STATES.has(state)) {
        await client.query(
          `update task_run set cancel_requested_at = coalesce(cancel_requested_at, now()) where id = $1 and scheduled_for = $2`,
          key,
        );
      }
      if (state !== undefined && !FINAL_RUN_STATES.has(state)) {
        await recordAudit(client, {
          organization: organizationId,
          action: 'cancelTaskRun',
          subjectType: 'TaskRun',
          subjectId: id,
          before: { state },
          after: state === TaskRunState.PENDING ? { state: TaskRunState.CANCELLED } : { cancelRequested: true },
        });
      }
      return state;
    });
  }
}
