import { createHash } from 'node:crypto';
import type pg from 'pg';
import { ensurePartition } from '../../src/db/partitions.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { digestOfToken } from '../../src/token-secret.js';

const HOUR_MS = 3_600_000;
/** All tenants have their readings and runs of this hour. */
export const HOUR = new Date(Math.floor(Date.now() / HOUR_MS) * HOUR_MS - HOUR_MS);

const KINDS = [
  'organization',
  'segment',
  'networkInterface',
  'amrTask',
  'amrTaskGroup',
  'meterDevice',
  'meteringPoint',
  'installation',
  'series',
  'taskRun',
  'deadLetter',
  'apiToken',
  'alert',
  'auditEntry',
  'pollSession',
  'spareSegment',
  'spareInterface',
  'spareTask',
  'spareGroup',
  'spareMeter',
  'sparePoint',
  'spareSeries',
] as const;
export type TenantKind = (typeof KINDS)[number];

/** An organization with one row of every kind, each with the tenant's mark in its texts; `spare…` are used by nothing. */
export interface Tenant {
  /** In every text of its rows, and in no other's. */
  readonly mark: string;
  readonly ids: Readonly<Record<TenantKind, string>>;
  readonly texts: Readonly<Record<'meter' | 'series' | 'fingerprint' | 'reference' | 'key' | 'errorCode', string>>;
}

/** Ids and texts, before any row of it exists. */
export function planTenant(mark: string): Tenant {
  const ids = Object.fromEntries(KINDS.map((kind) => [kind, uuidAt(kind === 'taskRun' ? HOUR.getTime() : undefined)]));
  const texts = Object.fromEntries(
    ['meter', 'series', 'fingerprint', 'reference', 'key', 'errorCode'].map((name) => [name, `${mark}-${name}`]),
  );
  return { mark, ids: ids as Tenant['ids'], texts: texts as Tenant['texts'] };
}

/** Everything that a tenant can have. */
export async function insertTenant(pool: pg.Pool, { mark, ids, texts }: Tenant): Promise<void> {
  const client = await pool.connect();
  const insert = (table: string, columns: Record<string, unknown>) => {
    const names = Object.keys(columns);
    const places = names.map((_, index) => `$${index + 1}`);
    return client.query(
      `insert into ${table} (${names.join(', ')}) values (${places.join(', ')})`,
      Object.values(columns),
    );
  };
  const own = (id: string, columns: Record<string, unknown> = {}) => ({
    id,
    organization_id: ids.organization,
    ...columns,
  });
  const call = { meter_execution_type: 'generic_lis200', task_call: 'set_time', task_kwargs: {} };
  try {
    for (const table of ['meter_reading', 'task_run'] as const) await ensurePartition(client, table, HOUR);
    await client.query('begin');
    await insert('organization', { id: ids.organization, name: `${mark}-organization` });
    for (const id of [ids.segment, ids.spareSegment])
      await insert('segment', own(id, { name: `${mark}-${id}`, max_open_sessions: 7 }));
    const line = { kind: 'tcp', host: `${mark}.example`, port: 9 };
    await insert(
      'network_interface',
      own(ids.networkInterface, { name: `${mark}-line`, segment_id: ids.segment, ...line }),
    );
    await insert('network_interface', own(ids.spareInterface, { name: `${mark}-spare`, ...line }));
    // Once a year, so that no slot comes due, and no plan changes, while a test runs.
    for (const id of [ids.amrTask, ids.spareTask])
      await insert('amr_task', own(id, { name: `${mark}-${id}`, schedule: 'yearly', ...call }));
    for (const id of [ids.amrTaskGroup, ids.spareGroup])
      await insert('amr_task_group', own(id, { name: `${mark}-${id}` }));
    await insert(
      'meter_device',
      own(ids.meterDevice, {
        name: texts.meter,
        serial_number: `${mark}-serial`,
        external_reference: texts.reference,
        network_interface_id: ids.networkInterface,
        credentials_rejected_at: HOUR,
      }),
    );
    await insert(
      'meter_device',
      own(ids.spareMeter, { name: `${mark}-spare`, network_interface_id: ids.networkInterface }),
    );
    await insert('amr_task_group_tasks', { amr_task_group_id: ids.amrTaskGroup, amr_task_id: ids.amrTask });
    await insert('meter_device_task_groups', {
      meter_device_id: ids.meterDevice,
      amr_task_group_id: ids.amrTaskGroup,
    });
    await insert('meter_device_meter_tasks', { meter_device_id: ids.meterDevice, amr_task_id: ids.amrTask });
    const references = { customer_reference: texts.reference, tariff_reference: `${mark}-tariff` };
    await insert('metering_point', own(ids.meteringPoint, { name: `${mark}-point`, ...references }));
    await insert('metering_point', own(ids.sparePoint, { name: `${mark}-spare` }));
    await insert(
      'installation',
      own(ids.installation, {
        metering_point_id: ids.meteringPoint,
        meter_device_id: ids.meterDevice,
        installed_at: new Date('2026-01-01'),
      }),
    );
    await insert('series', own(ids.series, { name: texts.series, unit: 'm3' }));
    await insert('series', own(ids.spareSeries, { name: `${mark}-spare` }));
    const { rows } = await client.query<{ id: number }>(
      'insert into register (meter_device_id, series_id) values ($1, $2) returning id',
      [ids.meterDevice, ids.series],
    );
    const value = { register_id: rows[0]!.id, measured_at: HOUR, quality: 0, origin: 1, received_at: HOUR };
    await insert('meter_reading', { ...value, value: '4711.5' });
    await insert('meter_reading_revision', { ...value, value: '4712.5' });
    await insert('register_watermark', { register_id: rows[0]!.id, watermark: HOUR });
    await insert('staged_reading', {
      organization_id: ids.organization,
      meter: `${mark}-staged`,
      series: texts.series,
      measured_at: HOUR,
      value: '1',
      quality: 0,
      origin: 1,
      received_at: HOUR,
    });
    await insert(
      'task_run',
      own(ids.taskRun, {
        scheduled_for: HOUR,
        origin: 'scheduled',
        state: 'pending',
        meter_device_id: ids.meterDevice,
        amr_task_id: ids.amrTask,
        ...call,
        not_before: HOUR,
        deadline: new Date(HOUR.getTime() + 100 * HOUR_MS),
        error_code: texts.errorCode,
        error_message: `${mark}-message`,
      }),
    );
    await insert('task_slot', { amr_task_id: ids.amrTask, scheduled_for: HOUR, run_count: 1 });
    await insert('invocation_key', { organization_id: ids.organization, key: texts.key, task_run_id: ids.taskRun });
    await insert(
      'poll_session',
      own(ids.pollSession, {
        network_interface_id: ids.networkInterface,
        meter_device_id: ids.meterDevice,
        queue: 'amr.scheduled',
        attempt: 1,
        state: 'running',
        lease_until: new Date(Date.now() + HOUR_MS),
      }),
    );
    const body = Buffer.from(JSON.stringify({ meter: texts.meter, series: texts.series }));
    await insert(
      'dead_letter',
      own(ids.deadLetter, {
        queue: 'readings.new',
        reason: `${mark}-reason`,
        fingerprint: texts.fingerprint,
        digest: createHash('sha256').update(body).digest(),
        body,
        size: body.length,
      }),
    );
    const alert = { kind: 'loss', subject: `${mark}-subject`, severity: 'warning', message: `${mark}-alert` };
    await insert('alert', own(ids.alert, alert));
    await insert('service_objective', { organization_id: ids.organization, kind: 'completeness', target: '0.123' });
    await insert('loss_minute', { organization_id: ids.organization, minute: HOUR, published: 77, stored: 77 });
    await insert(
      'api_token',
      own(ids.apiToken, { name: `${mark}-token`, role: 'viewer', digest: digestOfToken(mark) }),
    );
    await insert('audit_entry', own(ids.auditEntry, { actor: mark, action: 'do', subject_type: 'Thing' }));
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

/** Every row that mentions one of the tenant's ids, in any table, and the values of its registers. */
export async function rowsOfTenant(pool: pg.Pool, { ids }: Tenant): Promise<string[]> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'schema_migration'`,
  );
  const registers = `(select id from register where meter_device_id = any($2::uuid[]))`;
  const parts = tables.map(({ name }) =>
    ['meter_reading', 'meter_reading_revision', 'register_watermark'].includes(name)
      ? `select '${name}: ' || t::text as row from ${name} t where register_id in ${registers}`
      : // Another tenant's audit may say that it asked for an id in vain.
        `select '${name}: ' || t::text from ${name} t where ${name === 'audit_entry' ? 't.organization_id::text' : 't::text'} ~ $1`,
  );
  const { rows } = await pool.query<{ row: string }>(
    `select row from (${parts.join(' union all ')}) as found (row) order by row collate "C"`,
    [Object.values(ids).join('|'), [ids.meterDevice, ids.spareMeter]],
  );
  return rows.map(({ row }) => row);
}
