import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrations } from '../../entities/migrations/index.js';
import { migrate, requireCurrentSchema } from '../../src/db/migrate.js';
import { dropLogPartitionsBefore, ensurePartition, partitionName } from '../../src/db/partitions.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

/** Differences the ORM cannot express and therefore reports. Anything else is drift. */
const KNOWN_DIFFERENCES = [
  // The covering key: INCLUDE is not part of the ORM's vocabulary.
  /^alter table "meter_reading" (drop|add) constraint "meter_reading_pkey"/,
  // Look-ups from the other side of pivot tables.
  /^drop index "(amr_task_group_tasks_reverse|meter_device_task_groups_reverse|meter_device_meter_tasks_reverse|register_series)"/,
  // `nulls not distinct` as well.
  /^(drop index|alter table) "staged_reading/,
  // A sequence default reads back with other spacing.
  /^alter table "reading_log" alter column "id"/,
];

describe('schema', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await createTestDatabase();
  });
  afterAll(() => test.drop());

  it('is what the entities say', async () => {
    const sql = await test.database.orm.schema.getUpdateSchemaSQL({ wrap: false });
    const statements = sql.split(/;\s*/).filter((statement) => statement !== '');
    expect(statements.filter((statement) => !KNOWN_DIFFERENCES.some((known) => known.test(statement)))).toEqual([]);
  });

  it('is migrated once, however many processes start at once', async () => {
    expect(await Promise.all([migrate(test.url), migrate(test.url), migrate(test.url)])).toEqual([[], [], []]);
    await requireCurrentSchema(test.url);
    const { rows } = await test.database.pool.query('select name from schema_migration');
    expect(rows.map(({ name }: { name: string }) => name)).toEqual(migrations.map(({ name }) => name));
  });

  it('has partitions for the months ahead, and more when asked, once', async () => {
    const { pool } = test.database;
    const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
    try {
      await Promise.all(
        clients.map((client) => ensurePartition(client, 'meter_reading', new Date('2019-05-31T23:59:59.999Z'))),
      );
    } finally {
      clients.forEach((client) => client.release());
    }
    const { rows } = await pool.query<{ name: string }>(
      `select c.relname as name from pg_inherits join pg_class c on c.oid = inhrelid where inhparent = 'meter_reading'::regclass`,
    );
    const names = rows.map(({ name }) => name);
    expect(names.filter((name) => name === 'meter_reading_2019_05')).toHaveLength(1);
    const now = new Date();
    for (const ahead of [0, 1, 2, 3]) {
      expect(names).toContain(
        partitionName('meter_reading', new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead, 1))),
      );
    }
  });

  it('answers a look-up of a year by the key alone', async () => {
    const { rows } = await test.database.pool.query<{ 'QUERY PLAN': string }>(
      `explain select measured_at, value, quality from meter_reading
       where register_id = 1 and measured_at >= '2026-01-01' and measured_at < '2027-01-01'`,
    );
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).not.toContain('Seq Scan');
  });

  it('drops whole days of the log, but none with a row that waits for its number or its broadcast, and tells what the exchange missed', async () => {
    const { pool } = test.database;
    const client = await pool.connect();
    try {
      for (const day of ['2020-01-01', '2020-01-02']) await ensurePartition(client, 'reading_log', new Date(day));
      await client.query(
        `insert into reading_log (organization_id, committed_at, reading_count, body)
         select id, '2020-01-02T10:00:00Z', 1, '{}' from organization`,
      );
      expect(await dropLogPartitionsBefore(client, new Date('2020-01-05'))).toEqual([
        { name: 'reading_log_2020_01_01', unexchanged: 0 },
      ]);
      await client.query('update reading_log set position = 2');
      await client.query('update reading_log_head set position = 2, exchanged = 1');
      expect(await dropLogPartitionsBefore(client, new Date('2020-01-05'))).toEqual([]);
      await client.query('update reading_log_head set published = 2');
      expect(await dropLogPartitionsBefore(client, new Date('2020-01-05'))).toEqual([
        { name: 'reading_log_2020_01_02', unexchanged: 1 },
      ]);
    } finally {
      client.release();
    }
  });
});
