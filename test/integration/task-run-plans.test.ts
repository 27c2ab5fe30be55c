import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/db/database.js';
import { ensurePartition } from '../../src/db/partitions.js';
import { RunOrigin, TaskRunState } from '../../src/domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import type { TaskRunSelection } from '../../src/services/task-run-selection.js';
import { TaskRunService } from '../../src/services/task-runs.js';
import { TaskRunSummaryService } from '../../src/services/task-run-summaries.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { insertInterface, insertTask } from '../support/rows.js';

const TASKS = 20;
const METERS = 500;
const SLOTS = 20;
/** Runs of each month: five slots of it. */
const MONTHS = ['2026-01', '2026-02', '2026-03', '2026-04'];

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  Plans?: PlanNode[];
}

/** Rows of `task_run` that a plan took up, matching or not, outside an index-only scan. */
function rowsRead(node: PlanNode): number {
  const below = (node.Plans ?? []).reduce((sum, child) => sum + rowsRead(child), 0);
  if (!node['Relation Name']?.startsWith('task_run_') || node['Node Type'] === 'Index Only Scan') return below;
  return below + (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
}

describe('two hundred thousand runs in four months', () => {
  let test: TestDatabase;
  const tasks: string[] = [];
  let meter: string;

  beforeAll(async () => {
    test = await createTestDatabase();
    const { pool } = test.database;
    const client = await pool.connect();
    for (const month of MONTHS) await ensurePartition(client, 'task_run', new Date(`${month}-01`));
    client.release();
    const line = await insertInterface(pool, 'line');
    for (let n = 0; n < TASKS; n++) tasks.push(await insertTask(pool, `task ${n}`, { is_active: false }));
    await pool.query(
      `insert into meter_device (id, organization_id, name, network_interface_id)
       select uuid_v7_at(now()), $1, 'm' || n, $2 from generate_series(1, ${METERS}) n`,
      [DEFAULT_ORGANIZATION_ID, line],
    );
    // One run in 250 did not succeed; in the newest slot one in 50 waits and one in 50 is under way.
    await pool.query(
      `insert into task_run (id, scheduled_for, organization_id, origin, state, meter_device_id, amr_task_id,
         meter_execution_type, task_call, task_kwargs, not_before, deadline, error_code)
       select uuid_v7_at(slot), slot, $1, 'scheduled', state, meter, task, 'generic_lis200', 'read_archive_by_offset_seconds',
         '{"offset_seconds": 3600, "archive_number": 3, "control_position": 3}', slot, slot,
         case when state = 'failed' then 'TIMEOUT' when state = 'expired' then 'EXPIRED' end
       from (
         select slot, m.id as meter, t.id as task, case
           when n = ${SLOTS - 1} and random() < 0.02 then 'pending'
           when n = ${SLOTS - 1} and random() < 0.02 then 'running'
           when random() < 0.002 then 'failed'
           when random() < 0.001 then 'expired'
           when random() < 0.001 then 'cancelled'
           else 'succeeded' end as state
         from generate_series(0, ${SLOTS - 1}) n
         cross join lateral (select ($2::timestamptz[])[n / 5 + 1] + (n % 5) * interval '5 days' as slot) s
         cross join meter_device m cross join amr_task t
       ) r`,
      [DEFAULT_ORGANIZATION_ID, MONTHS.map((month) => `${month}-02`)],
    );
    // As retention and settling leave it: the slots of all months but the newest are settled.
    await pool.query(
      `insert into task_slot (amr_task_id, scheduled_for, run_count, settled_at, succeeded_count)
       select amr_task_id, scheduled_for, count(*), case when scheduled_for < $1 then now() end,
         case when scheduled_for < $1 then count(*) else 0 end
       from task_run group by 1, 2`,
      [new Date(`${MONTHS[3]}-22`)],
    );
    const { rows } = await pool.query<{ id: string }>('select id from meter_device limit 1');
    meter = rows[0]!.id;
    await pool.query('vacuum analyze');
  }, 120_000);
  afterAll(() => test.drop());

  /** Rows of runs that the statements of `work` read, and what it returned. */
  async function reading<T>(work: (database: Database) => Promise<T>): Promise<{ rows: number; result: T }> {
    const { pool } = test.database;
    let rows = 0;
    const explained = {
      query: async (sql: string, values: unknown[]) => {
        const { rows: plans } = await pool.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
          `explain (analyze, format json) ${sql}`,
          values,
        );
        rows += rowsRead(plans[0]!['QUERY PLAN'][0].Plan);
        return pool.query(sql, values);
      },
    };
    const result = await work({ ...test.database, pool: explained as unknown as Database['pool'] });
    return { rows, result };
  }

  const { PENDING, DISPATCHED, RUNNING, SUCCEEDED, FAILED, EXPIRED, CANCELLED } = TaskRunState;
  const march = { from: new Date('2026-03-01'), to: new Date('2026-03-04') };

  // At most: the runs of one slot of all tasks are 10,000, of one task in all slots too; of one meter 400.
  it.each<[string, () => TaskRunSelection, number, number]>([
    // A total of everything is that of as many rows, be it in an index or not: clients ask with a period.
    ['all', () => ({}), 200, Infinity],
    ['that failed', () => ({ states: [FAILED] }), 2_000, 2_000],
    ['that did not succeed', () => ({ states: [FAILED, EXPIRED, CANCELLED] }), 2_000, 2_000],
    ['that were cancelled', () => ({ states: [CANCELLED] }), 2_000, 2_000],
    ['that wait', () => ({ states: [PENDING] }), 2_000, 2_000],
    ['under way', () => ({ states: [DISPATCHED, RUNNING] }), 2_000, 2_000],
    ['that are open', () => ({ states: [PENDING, DISPATCHED, RUNNING] }), 2_000, 2_000],
    ['open or failed', () => ({ states: [PENDING, RUNNING, FAILED] }), 3_000, 4_000],
    ['that succeeded', () => ({ states: [SUCCEEDED] }), 500, Infinity],
    ['with an error', () => ({ errorCode: 'TIMEOUT' }), 2_000, 2_000],
    ['with an error of a task', () => ({ errorCode: 'TIMEOUT', amrTask: tasks[3] }), 200, 200],
    ['of a task', () => ({ amrTask: tasks[3] }), 2_000, 10_000],
    ['of a task that failed', () => ({ amrTask: tasks[3], states: [FAILED] }), 500, 500],
    ['of a task that are open', () => ({ amrTask: tasks[3], states: [PENDING, DISPATCHED, RUNNING] }), 2_000, 2_000],
    ['of a task in a period', () => ({ amrTask: tasks[3], ...march }), 1_000, 500],
    [
      'of a task that succeeded in a period',
      () => ({ amrTask: tasks[3], states: [SUCCEEDED], ...march }),
      1_000,
      1_000,
    ],
    ['of a meter', () => ({ meterDevice: meter }), 400, 400],
    ['of a meter that failed', () => ({ meterDevice: meter, states: [FAILED] }), 400, 400],
    ['of a meter and a task', () => ({ meterDevice: meter, amrTask: tasks[3] }), 400, 400],
    ['of a meter in a period', () => ({ meterDevice: meter, ...march }), 20, 20],
    ['in a period', () => march, 200, 10_000],
    ['that failed in a period', () => ({ states: [FAILED], ...march }), 200, 200],
    ['that succeeded in a period', () => ({ states: [SUCCEEDED], ...march }), 500, 300],
    [
      'of an origin, a state and a period',
      () => ({ origin: RunOrigin.SCHEDULED, states: [FAILED], ...march }),
      200,
      200,
    ],
  ])('runs %s are found and counted without reading all', async (_which, selection, found, counted) => {
    const page = await reading((database) =>
      new TaskRunService(database).page(DEFAULT_ORGANIZATION_ID, { first: 50 }, selection()),
    );
    expect(page.rows).toBeLessThanOrEqual(found);
    const count = await reading(async (database) => {
      const { totalCount } = await new TaskRunService(database).page(DEFAULT_ORGANIZATION_ID, {}, selection());
      return totalCount;
    });
    // Minus the page that came with it.
    expect(count.rows).toBeLessThanOrEqual(counted + found);
    const { states, amrTask, meterDevice, errorCode, from, to } = selection();
    const { rows } = await test.database.pool.query<{ count: number }>(
      `select count(*)::int as count from task_run
       where state = any(coalesce($1::text[], array[state])) and amr_task_id = coalesce($2::uuid, amr_task_id)
         and meter_device_id = coalesce($3::uuid, meter_device_id) and error_code is not distinct from coalesce($4::text, error_code)
         and scheduled_for >= coalesce($5::timestamptz, scheduled_for) and scheduled_for < coalesce($6::timestamptz, 'infinity')`,
      [states, amrTask, meterDevice, errorCode, from, to],
    );
    expect(count.result).toBe(rows[0]!.count);
  });

  it('are summed up from the counts of settled slots, and run by run for the others only', async () => {
    const period = { from: new Date('2026-01-01'), to: new Date('2026-05-01') };
    const { rows, result } = await reading(async (database) => {
      const summary = await new TaskRunSummaryService(database).summary(DEFAULT_ORGANIZATION_ID, period);
      return { runs: summary.runs, errors: await summary.errors };
    });
    expect(result.runs).toBe(TASKS * METERS * SLOTS);
    expect(result.errors.map(({ code }) => code).sort()).toEqual(['EXPIRED', 'TIMEOUT']);
    // The newest slot of all tasks, and the failures.
    expect(rows).toBeLessThanOrEqual(12_000);
  });
});
