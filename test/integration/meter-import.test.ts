import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createKeyPair, open } from '../../src/credentials.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { ControlMessage, decode } from '../../src/messaging/contracts.js';
import { MeterImportService, type ImportedMeters } from '../../src/services/meter-import.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import { deleteMetersAndTasks, insertGroup, insertInterface, insertMeter, insertTask } from '../support/rows.js';

const brokers = testBrokers('memory:');
const keys = createKeyPair();
const IMPORT = `mutation ($input: ImportMeterDevicesInput!) { importMeterDevices(input: $input) {
  dryRun created updated unchanged failed items { index id created errorCode errorMessage errorField } } }`;
const told: ControlMessage[] = [];
let api: TestApi;

beforeAll(async () => {
  const broker = await brokers.open();
  api = await createTestApi(broker, keys.publicKey);
  await broker.listen('amr.control', (body) => {
    const decoded = decode(ControlMessage, body);
    if (decoded.ok) told.push(decoded.message);
  });
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});
afterEach(async () => {
  await deleteMetersAndTasks(api.database.pool);
  await api.database.pool.query('delete from audit_entry');
  told.length = 0;
});

const importMeters = async (items: object[], more: object = {}) =>
  (await api.run<{ importMeterDevices: ImportedMeters }>(IMPORT, { input: { items, ...more } })).importMeterDevices;
const rows = async (sql: string, values: unknown[] = []) =>
  (await api.database.pool.query<Record<string, unknown>>(sql, values)).rows;
const changedMeters = () => told.flatMap((message) => (message.type === 'rows_changed' ? (message.meters ?? []) : []));

describe('importMeterDevices', () => {
  it('creates what is new, updates what is there, and leaves out what is wrong', async () => {
    const { pool } = api.database;
    const line = await insertInterface(pool, 'Modem 1');
    const task = await insertTask(pool, 'hourly');
    const group = await insertGroup(pool, 'gas', [task], []);
    const known = await insertMeter(pool, 'known', { external_reference: 'R1', serial_number: 'S1', model: 'EK280' });

    const result = await importMeters([
      { name: 'new', networkInterface: 'Modem 1', taskGroups: ['gas'], meterTasks: [task], timeZone: 'europe/vienna' },
      { name: 'renamed', externalReference: 'R1', serialNumber: 'S2' },
      { name: 'wrong', taskGroups: ['nonsense'] },
    ]);
    expect(result).toMatchObject({ dryRun: false, created: 1, updated: 1, unchanged: 0, failed: 1 });
    expect(result.items).toMatchObject([
      { index: 0, created: true, errorCode: null },
      { index: 1, id: known, created: false, errorCode: null },
      { index: 2, id: null, created: false, errorCode: 'NOT_FOUND', errorField: 'input.items.2.taskGroups.0' },
    ]);
    expect(
      await rows(
        `select name, serial_number, model, time_zone, life_cycle, version, network_interface_id = $1 as line,
           array(select amr_task_group_id::text from meter_device_task_groups where meter_device_id = m.id) as groups,
           array(select amr_task_id::text from meter_device_meter_tasks where meter_device_id = m.id) as tasks
         from meter_device m order by name`,
        [line],
      ),
    ).toEqual([
      {
        ...{ name: 'new', serial_number: null, model: null, time_zone: 'Europe/Vienna', life_cycle: 'new', version: 1 },
        ...{ line: true, groups: [group], tasks: [task] },
      },
      {
        ...{ name: 'renamed', serial_number: 'S2', model: 'EK280', time_zone: 'UTC', life_cycle: 'new', version: 2 },
        ...{ line: false, groups: [], tasks: [] },
      },
    ]);
    // Told once, of both: ingesters look again, and what was staged for them is stored.
    await expect.poll(() => told.length).toBe(1);
    expect(new Set(changedMeters())).toEqual(new Set([result.items[0]!.id, known]));
  });

  it('changes nothing when it comes again, and tells nobody', async () => {
    const items = [
      { name: 'A', externalReference: 'RA', currentTransformerRatio: '40.0' },
      { name: 'B', serialNumber: 'SB' },
    ];
    const first = await importMeters(items);
    await expect.poll(() => told.length).toBe(1);
    const again = await importMeters(items);
    expect(again).toMatchObject({ created: 0, updated: 2, unchanged: 2, failed: 0 });
    expect(again.items.map(({ id }) => id)).toEqual(first.items.map(({ id }) => id));
    expect(await rows('select distinct version from meter_device')).toEqual([{ version: 1 }]);
    // A later import announces after an earlier one: had the second told anything, it would be here by now.
    await importMeters([{ name: 'C' }]);
    await expect.poll(() => told.length).toBe(2);
  });

  it('writes nothing in a dry run, and says what it would do', async () => {
    const known = await insertMeter(api.database.pool, 'known');
    const before = await rows('select * from meter_device');
    const items = [{ name: 'new', credentials: { password: '1' } }, { name: 'known', model: 'EK280' }, { name: '' }];
    expect(await importMeters(items, { dryRun: true })).toMatchObject({
      ...{ dryRun: true, created: 1, updated: 1, unchanged: 0, failed: 1 },
      items: [
        { id: null, created: true },
        { id: known, created: false },
        { id: null, errorCode: 'BAD_USER_INPUT', errorField: 'input.items.2.name' },
      ],
    });
    expect(await rows('select * from meter_device')).toEqual(before);
    expect(await rows('select * from audit_entry')).toEqual([]);
  });

  it('seals credentials, removes them with null, and lets a held meter be tried again with new ones', async () => {
    const { items } = await importMeters([
      { name: 'A', credentials: { password: 'first' } },
      { name: 'B', credentials: { password: 'stays' } },
      { name: 'C', credentials: { password: 'goes' } },
    ]);
    await api.database.pool.query('update meter_device set credentials_rejected_at = now()');
    await importMeters([
      { name: 'A', credentials: { password: 'second' } },
      { name: 'B', model: 'EK280' },
      { name: 'C', credentials: null },
    ]);
    const stored = await api.database.pool.query<{ id: string; credentials: Buffer | null; held: boolean }>(
      'select id, credentials, credentials_rejected_at is not null as held from meter_device order by name',
    );
    expect(stored.rows.map(({ held }) => held)).toEqual([false, true, false]);
    const [a, b, c] = stored.rows;
    expect(open(keys.privateKey, items[0]!.id!, a!.credentials!)).toEqual({ password: 'second' });
    expect(open(keys.privateKey, items[1]!.id!, b!.credentials!)).toEqual({ password: 'stays' });
    expect(c!.credentials).toBeNull();
    const audit = JSON.stringify(await rows('select * from audit_entry'));
    expect(audit).toContain('hasCredentials');
    expect(audit).not.toMatch(/first|second|stays|goes/);
  });

  it('refuses items with credentials where nothing seals them, and takes the others', async () => {
    const service = new MeterImportService(api.database, await brokers.open(), undefined);
    const items = [{ name: 'A', credentials: { password: '1' } }, { name: 'B' }];
    expect(await service.importMeters(DEFAULT_ORGANIZATION_ID, { items })).toMatchObject({
      ...{ created: 1, failed: 1 },
      items: [{ errorCode: 'BAD_USER_INPUT', errorField: 'input.items.0.credentials' }, { created: true }],
    });
  });

  it('replaces groups, and removes all for an empty list', async () => {
    const { pool } = api.database;
    for (const name of ['g1', 'g2', 'g3']) await insertGroup(pool, name, [], []);
    const groupsOf = async () =>
      (
        await rows(
          `select m.name || ':' || string_agg(g.name, ',' order by g.name) as line from meter_device m
           join meter_device_task_groups j on j.meter_device_id = m.id join amr_task_group g on g.id = j.amr_task_group_id
           group by m.name order by 1`,
        )
      ).map(({ line }) => line);
    await importMeters(['A', 'B', 'C'].map((name) => ({ name, taskGroups: ['g1', 'g2'] })));
    await importMeters([{ name: 'A', taskGroups: ['g2', 'g3'] }, { name: 'B', taskGroups: [] }, { name: 'C' }]);
    expect(await groupsOf()).toEqual(['A:g2,g3', 'C:g1,g2']);
  });

  it('notes who imported, and what each meter was and became', async () => {
    await insertMeter(api.database.pool, 'A', { serial_number: 'S1' });
    const items = [{ name: 'A', serialNumber: 'S2' }, { name: 'B' }, { name: '' }];
    await api.services.meterImport.importMeters(
      DEFAULT_ORGANIZATION_ID,
      { items },
      { actor: 'office', source: '10.0.0.1' },
    );
    expect(
      await rows(
        `select actor, source, action, subject_type, subject_id is not null as one, before, after from audit_entry
         order by subject_id is not null, after->>'name' nulls first`,
      ),
    ).toMatchObject([
      { actor: 'office', source: '10.0.0.1', one: false, after: { created: 1, changed: 1, unchanged: 0, failed: 1 } },
      { one: true, before: { serialNumber: 'S1' }, after: { serialNumber: 'S2' } },
      { one: true, action: 'importMeterDevices', subject_type: 'MeterDevice', before: null, after: { name: 'B' } },
    ]);
  });

  it('creates each meter once when two imports of one file run at once', async () => {
    const items = Array.from({ length: 300 }, (_, index) => ({ name: `M${index}`, externalReference: `R${index}` }));
    const results = await Promise.all([importMeters(items), importMeters(items), importMeters(items)]);
    expect(results.map(({ created }) => created).sort()).toEqual([0, 0, 300]);
    expect(results.map(({ failed }) => failed)).toEqual([0, 0, 0]);
    expect(await rows('select count(*)::int as count from meter_device')).toEqual([{ count: 300 }]);
  });

  it('sees nothing of another organization', async () => {
    const { pool } = api.database;
    const other = '00000000-0000-7000-8000-0000000000ff';
    await pool.query(`insert into organization (id, name) values ($1, 'other') on conflict do nothing`, [other]);
    await insertInterface(pool, 'their line', { organization_id: other });
    await insertMeter(pool, 'theirs', {
      ...{ organization_id: other, external_reference: 'R', network_interface_id: null },
    });
    const result = await importMeters([
      { name: 'theirs', externalReference: 'R' },
      { name: 'linked', networkInterface: 'their line' },
    ]);
    expect(result).toMatchObject({ created: 1, failed: 1, items: [{ created: true }, { errorCode: 'NOT_FOUND' }] });
  });

  it.each([[[]], [Array.from({ length: 10_001 }, (_, index) => ({ name: `M${index}` }))]])(
    'refuses %# as a whole: 1 to 10,000 items',
    async (items) => {
      expect(await api.failure(IMPORT, { input: { items } })).toMatchObject({
        code: 'BAD_USER_INPUT',
        field: 'input.items',
      });
    },
  );

  it('takes 10,000 meters in one call with as many statements as for two', { timeout: 60_000 }, async () => {
    const { pool } = api.database;
    for (const name of ['g1', 'g2']) await insertGroup(pool, name, [], []);
    const items = Array.from({ length: 10_000 }, (_, index) => ({
      ...{ name: `M${index}`, externalReference: `R${index}`, serialNumber: `S${index}`, timeZone: 'Europe/Vienna' },
      taskGroups: ['g1', 'g2'],
    }));
    expect(await statementsOf(() => importMeters(items))).toBe(
      await statementsOf(() =>
        importMeters(items.slice(0, 2).map((item) => ({ ...item, serialNumber: `${item.serialNumber}b` }))),
      ),
    );
    expect(await rows('select count(*)::int as count from meter_device_task_groups')).toEqual([{ count: 20_000 }]);
  });
});

/** Statements on connections of the pool while `work` runs. */
async function statementsOf(work: () => Promise<unknown>): Promise<number> {
  const { pool } = api.database;
  const client = await pool.connect();
  const original = Object.getPrototypeOf(client) as { query: (...args: unknown[]) => unknown };
  const query = original.query;
  client.release();
  let count = 0;
  original.query = function (this: unknown, ...args: unknown[]) {
    count++;
    return query.apply(this, args);
  };
  try {
    await work();
  } finally {
    original.query = query;
  }
  return count;
}
