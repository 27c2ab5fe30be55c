import type pg from 'pg';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';

/** Inserts a row and returns its id; unset columns take their defaults. */
async function insert(pool: pg.Pool, table: string, columns: Record<string, unknown>): Promise<string> {
  const row: Record<string, unknown> = { id: uuidAt(), organization_id: DEFAULT_ORGANIZATION_ID, ...columns };
  const names = Object.keys(row);
  await pool.query(
    `insert into ${table} (${names.join(', ')}) values (${names.map((_, index) => `$${index + 1}`).join(', ')})`,
    Object.values(row),
  );
  return row['id'] as string;
}

export function insertInterface(pool: pg.Pool, name: string, columns: Record<string, unknown> = {}): Promise<string> {
  return insert(pool, 'network_interface', { name, kind: 'tcp', host: '127.0.0.1', port: 9, ...columns });
}

/** A meter with an interface of its own, unless one is given. */
export async function insertMeter(pool: pg.Pool, name: string, columns: Record<string, unknown> = {}): Promise<string> {
  const network_interface_id =
    'network_interface_id' in columns ? columns['network_interface_id'] : await insertInterface(pool, `${name} line`);
  return insert(pool, 'meter_device', { name, ...columns, network_interface_id });
}

/** A quarterly task that reads archive 3, active since long ago. */
export function insertTask(pool: pg.Pool, name: string, columns: Record<string, unknown> = {}): Promise<string> {
  return insert(pool, 'amr_task', {
    name,
    schedule: 'quarterly',
    meter_execution_type: 'generic_lis200',
    task_call: 'read_archive_by_offset_seconds',
    task_kwargs: { offset_seconds: 3600, archive_number: 3, control_position: 3 },
    active_since: new Date('2020-01-01'),
    ...columns,
  });
}

export async function assignTask(pool: pg.Pool, meter: string, task: string): Promise<void> {
  await pool.query('insert into meter_device_meter_tasks (meter_device_id, amr_task_id) values ($1, $2)', [
    meter,
    task,
  ]);
}

/** A group with these tasks and meters. */
export async function insertGroup(
  pool: pg.Pool,
  name: string,
  tasks: readonly string[],
  meters: readonly string[],
): Promise<string> {
  const group = await insert(pool, 'amr_task_group', { name });
  for (const task of tasks) await pool.query('insert into amr_task_group_tasks values ($1, $2)', [group, task]);
  for (const meter of meters) await pool.query('insert into meter_device_task_groups values ($1, $2)', [meter, group]);
  return group;
}

export function insertSegment(pool: pg.Pool, name: string, columns: Record<string, unknown> = {}): Promise<string> {
  return insert(pool, 'segment', { name, ...columns });
}

/** A scheduled run that is due, without a task. */
export async function insertDueRun(
  pool: pg.Pool,
  meter: string,
  columns: Record<string, unknown> = {},
): Promise<string> {
  const now = Date.now();
  return insert(pool, 'task_run', {
    id: uuidAt(now),
    scheduled_for: new Date(now),
    origin: 'scheduled',
    state: 'pending',
    meter_device_id: meter,
    meter_execution_type: 'generic_lis200',
    task_call: 'read_archive_by_offset_seconds',
    task_kwargs: { offset_seconds: 3600, archive_number: 3, control_position: 3 },
    not_before: new Date(now - 1_000),
    deadline: new Date(now + 3_600_000),
    ...columns,
  });
}

/** Leaves no run, session, task, meter, interface, segment or worker. Quicker than `truncate`, which costs a file for each partition. */
export async function deleteMetersAndTasks(pool: pg.Pool): Promise<void> {
  const tables = [
    'task_run',
    'poll_session',
    'amr_task',
    'amr_task_group',
    'meter_device',
    'network_interface',
    'segment',
    'worker',
  ];
  await pool.query(tables.map((table) => `delete from ${table}`).join(';'));
}
