import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import {
  assignTask,
  insertDueRun,
  insertGroup,
  insertInterface,
  insertMeter,
  insertSegment,
  insertTask,
} from '../support/rows.js';
import { statementsOf } from '../support/statements.js';

const brokers = testBrokers('memory:');
let api: TestApi;
const ids: Record<string, string> = {};

beforeAll(async () => {
  api = await createTestApi(await brokers.open());
  const { pool } = api.database;
  ids['cell'] = await insertSegment(pool, 'cell');
  ids['line'] = await insertInterface(pool, 'line', { segment_id: ids['cell'] });
  ids['near'] = await insertMeter(pool, 'EK280-1', {
    network_interface_id: ids['line'],
    serial_number: '2',
    life_cycle: 'active',
  });
  ids['far'] = await insertMeter(pool, 'ek280-2', { serial_number: '1', manufacturer: 'Elster' });
  ids['odd'] = await insertMeter(pool, '100%_odd', {
    network_interface_id: null,
    life_cycle: 'retired',
    credentials: Buffer.from('x'),
  });
  ids['task'] = await insertTask(pool, 'hourly archive', { priority: 5 });
  ids['other'] = await insertTask(pool, 'clock', { task_call: 'set_time', is_active: false });
  ids['group'] = await insertGroup(pool, 'gas', [ids['task']], [ids['near']]);
  await assignTask(pool, ids['far'], ids['task']);
  const { id: series } = await api.services.series.upsert(DEFAULT_ORGANIZATION_ID, {
    name: '7-0:13.26.0*101',
    unit: 'm3',
  });
  ids['series'] = series;
  await pool.query(
    `with r as (insert into register (meter_device_id, series_id) values ($1, $2) returning id)
     insert into meter_reading select id, now() - interval '1 hour', 1, 0, 0, now() from r`,
    [ids['near'], series],
  );
  ids['run'] = await insertDueRun(pool, ids['near'], { amr_task_id: ids['task'] });
  ids['failed'] = await insertDueRun(pool, ids['far'], {
    ...{
      state: 'failed',
      error_code: 'TIMEOUT',
      error_message: 'no answer',
      finished_at: new Date(),
      task_call: 'set_time',
    },
  });
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});

const hour = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();
const fill = (filter: string) =>
  filter.replace(/\$(\w+)/g, (_, name: string) => `"${ids[name] ?? hour(-Number(name.slice(1)))}"`);

describe('filters', () => {
  it.each([
    ['meterDevices', 'nameStartsWith: "EK280"', ['EK280-1', 'ek280-2']],
    ['meterDevices', 'nameStartsWith: "100%_"', ['100%_odd']],
    ['meterDevices', 'nameContains: "%"', ['100%_odd']],
    ['meterDevices', 'nameStartsWith: "EK280", networkInterface: $line', ['EK280-1']],
    ['meterDevices', 'segment: $cell', ['EK280-1']],
    ['meterDevices', 'ids: [$near, $odd, "nonsense"], lifeCycles: [RETIRED, LOST]', ['100%_odd']],
    ['meterDevices', 'taskGroups: [$group]', ['EK280-1']],
    ['meterDevices', 'amrTask: $task', ['EK280-1', 'ek280-2']],
    ['meterDevices', 'amrTask: $task, serialNumbers: ["1", "9"]', ['ek280-2']],
    ['meterDevices', 'hasReadingsSince: $m2', ['EK280-1']],
    ['meterDevices', 'hasReadingsSince: $m0', []],
    ['meterDevices', 'hasNoReadingsSince: $m2, hasNetworkInterface: true', ['ek280-2']],
    ['meterDevices', 'hasCredentials: true', ['100%_odd']],
    ['meterDevices', 'manufacturer: "Elster", isInstalled: false', ['ek280-2']],
    ['meterDevices', 'networkInterface: "nonsense"', []],
    ['amrTasks', 'meterDevice: $near', ['hourly archive']],
    ['amrTasks', 'meterDevice: $far', ['hourly archive']],
    ['amrTasks', 'amrTaskGroup: $group, taskCall: "set_time"', []],
    ['amrTasks', 'taskCall: "set_time", isActive: false', ['clock']],
    ['amrTaskGroups', 'amrTask: $task, meterDevice: $near', ['gas']],
    ['amrTaskGroups', 'amrTask: $other', []],
    ['networkInterfaces', 'segment: $cell, kind: TCP, isBusy: false, isHeld: false', ['line']],
    ['networkInterfaces', 'nameStartsWith: "LI"', ['line']],
    ['segments', 'nameContains: "el"', ['cell']],
    ['seriesList', 'meterDevice: $near, kinds: [UNKNOWN], unit: "m3"', ['7-0:13.26.0*101']],
    ['seriesList', 'meterDevice: $far', []],
    ['meteringPoints', 'hasMeter: true', []],
  ])('%s(filter: {%s})', async (list, filter, names) => {
    const answer = await api.run<Record<string, { totalCount: number; nodes: { name: string }[] }>>(
      `{ ${list}(filter: {${fill(filter)}}) { totalCount nodes { name } } }`,
    );
    expect(answer[list]!.nodes.map(({ name }) => name)).toEqual(names);
    expect(answer[list]!.totalCount).toBe(names.length);
  });

  it.each([
    ['amrTaskGroup: $group', ['run']],
    ['segment: $cell, states: [PENDING]', ['run']],
    ['networkInterface: $line, amrTasks: [$task]', ['run']],
    ['errorCodes: ["TIMEOUT", "LOST"], taskCall: "set_time"', ['failed']],
    ['finishedFrom: $m1', ['failed']],
    ['ids: [$run], meterDevices: [$near]', ['run']],
    ['ids: ["nonsense"]', []],
  ])('taskRuns(filter: {%s})', async (filter, names) => {
    const { taskRuns } = await api.run<{ taskRuns: { totalCount: number; nodes: { id: string }[] } }>(
      `{ taskRuns(filter: {${fill(filter)}}) { totalCount nodes { id } } }`,
    );
    expect(taskRuns).toEqual({ totalCount: names.length, nodes: names.map((name) => ({ id: ids[name] })) });
  });
});

interface ListPage {
  meterDevices: { nodes: { name: string }[]; pageInfo: { endCursor: string; hasNextPage: boolean } };
}
const page = (orderBy: string, after?: string) =>
  api
    .run<ListPage>(
      `query ($after: String) { meterDevices(first: 2, after: $after, filter: {nameStartsWith: "s "}, orderBy: ${orderBy}) {
        nodes { name } pageInfo { endCursor hasNextPage } } }`,
      { after },
    )
    .then(({ meterDevices }) => meterDevices);

describe('an order', () => {
  beforeAll(async () => {
    const { pool } = api.database;
    for (const [name, serial] of [
      ['s a', '7'],
      ['s b', '7'],
      ['s c', null],
      ['s d', '7'],
      ['s e', '1'],
      ['s f', null],
    ] as const)
      await insertMeter(pool, name, { serial_number: serial, network_interface_id: null });
  });

  const all = async (orderBy: string) => {
    const names: string[] = [];
    for (let after: string | undefined; ;) {
      const { nodes, pageInfo } = await page(orderBy, after);
      names.push(...nodes.map(({ name }) => name.slice(2)));
      if (!pageInfo.hasNextPage) return names.join('');
      after = pageInfo.endCursor;
    }
  };

  it.each([
    ['{field: NAME}', 'abcdef'],
    ['{field: NAME, direction: DESC}', 'fedcba'],
    ['{field: CREATED_AT, direction: DESC}', 'fedcba'],
    ['{field: UPDATED_AT}', 'abcdef'],
    ['{field: SERIAL_NUMBER}', 'eabdcf'],
    ['{field: SERIAL_NUMBER, direction: DESC}', 'dbaefc'],
    ['{field: EXTERNAL_REFERENCE}', 'abcdef'],
  ])('%s goes through equal and missing values page by page', async (orderBy, names) => {
    expect(await all(orderBy)).toBe(names);
  });

  it('neither repeats nor leaves out what stays while others come and go', async () => {
    const { pool } = api.database;
    const first = await page('{field: SERIAL_NUMBER}');
    expect(first.nodes.map(({ name }) => name)).toEqual(['s e', 's a']);
    const before = await insertMeter(pool, 's 0', { serial_number: '0', network_interface_id: null });
    const within = await insertMeter(pool, 's 7', { serial_number: '7', network_interface_id: null });
    await pool.query(`delete from meter_device where name = 's a'`);
    const second = await page('{field: SERIAL_NUMBER}', first.pageInfo.endCursor);
    expect(second.nodes.map(({ name }) => name)).toEqual(['s b', 's d']);
    const third = await page('{field: SERIAL_NUMBER}', second.pageInfo.endCursor);
    expect(third.nodes.map(({ name }) => name)).toEqual(['s 7', 's c']);
    await pool.query('delete from meter_device where id = any($1)', [[before, within]]);
  });

  it('refuses the cursor of another order, and says whose it is', async () => {
    const { pageInfo } = await page('{field: NAME}');
    const failure = (orderBy: string, after: string) =>
      api.failure(`{ meterDevices(orderBy: ${orderBy}, after: "${after}") { nodes { id } } }`);
    for (const other of ['{field: NAME, direction: DESC}', '{field: SERIAL_NUMBER}', 'null'])
      expect(await failure(other, pageInfo.endCursor)).toMatchObject({
        ...{ code: 'BAD_USER_INPUT', field: 'after' },
        message: expect.stringMatching(/^after is a cursor of NAME ASC, and the list is asked for in /) as string,
      });
    const usual = await api.run<ListPage>(
      '{ meterDevices(first: 1) { nodes { name } pageInfo { endCursor hasNextPage } } }',
    );
    expect((await failure('{field: NAME}', usual.meterDevices.pageInfo.endCursor)).message).toMatch(/usual order/);
    const forged = (...values: unknown[]) => Buffer.from(JSON.stringify(values)).toString('base64url');
    for (const values of [
      ['UPDATED_AT ASC', '2026-02-31 00:00:00+00', ids['near']],
      ['UPDATED_AT ASC', 'x', 'y'],
      ['UPDATED_AT ASC', null, ids['near']],
    ])
      expect((await failure('{field: UPDATED_AT}', forged(...values))).field).toBe('after');
  });

  it('is that of time for runs, either way', async () => {
    const runs = async (direction: string) =>
      (
        await api.run<{ taskRuns: { nodes: { id: string }[] } }>(
          `{ taskRuns(orderBy: {field: SCHEDULED_FOR, direction: ${direction}}) { nodes { id } } }`,
        )
      ).taskRuns.nodes.map(({ id }) => id);
    expect(await runs('ASC')).toEqual([ids['run'], ids['failed']].sort());
    expect(await runs('DESC')).toEqual([ids['run'], ids['failed']].sort().reverse());
  });
});

it.each([
  'amrTasks',
  'amrTaskGroups',
  'meterDevices',
  'networkInterfaces',
  'segments',
  'seriesList',
  'meteringPoints',
  'taskRuns',
  'deadLetters',
  'alerts',
  'auditEntries',
  'stagedReadings',
  'stagedMeters',
])('%s counts the whole list only when it is asked to', async (list) => {
  const counts = async (selection: string) =>
    (await statementsOf(() => api.run(`{ ${list} { ${selection} } }`))).statements.filter((text) =>
      /count\(/.test(text),
    ).length;
  const without = await counts('nodes { __typename } edges { cursor } pageInfo { hasNextPage endCursor }');
  expect((await counts('totalCount nodes { __typename }')) - without).toBe(1);
  expect(without).toBe(list === 'stagedMeters' ? 1 : 0);
});

it('refuses pages that are too large, alone or together', async () => {
  expect(await api.failure('{ meterDevices(first: 501) { nodes { id } } }')).toMatchObject({ field: 'first' });
  await api.database.pool.query(
    `insert into meter_device (id, organization_id, name)
     select gen_random_uuid(), $1, 'many ' || n from generate_series(1, 200) n`,
    [DEFAULT_ORGANIZATION_ID],
  );
  expect(
    await api.failure('{ meterDevices(first: 200) { nodes { taskRuns(first: 500) { nodes { id } } } } }'),
  ).toMatchObject({ code: 'LIMIT_EXCEEDED', message: expect.stringContaining('100000 nodes') as string });
  await api.database.pool.query(`delete from meter_device where name like 'many %'`);
});

it('finds names by their beginning, readings and changes by index', async () => {
  const { pool } = api.database;
  const plan = async (sql: string) => {
    const client = await pool.connect();
    try {
      await client.query('begin; set local enable_seqscan = off; set local enable_sort = off');
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain ${sql}`);
      return rows.map((row) => row['QUERY PLAN']).join('\n');
    } finally {
      await client.query('rollback');
      client.release();
    }
  };
  // On a handful of rows any index does.
  await pool.query(
    `insert into meter_device (id, organization_id, name, updated_at)
     select gen_random_uuid(), $1, 'row ' || n, now() - n * interval '1 minute' from generate_series(1, 5000) n`,
    [DEFAULT_ORGANIZATION_ID],
  );
  await pool.query('analyze meter_device');
  const from = `from meter_device t where t.organization_id = '${DEFAULT_ORGANIZATION_ID}'`;
  expect(await plan(`select t.id ${from} and lower(t.name) like lower('EK280') || '%'`)).toContain(
    'meter_device_name_prefix',
  );
  expect(await plan(`select t.id ${from} and t.life_cycle = 'lost' order by t.id limit 51`)).toContain(
    'life_cycle_id_index',
  );
  expect(await plan(`select t.id ${from} and t.updated_at >= now() order by t.updated_at, t.id limit 51`)).toContain(
    'updated_at_id_index',
  );
  const audit = `from audit_entry where organization_id = '${DEFAULT_ORGANIZATION_ID}'`;
  for (const [where, index] of [
    [`actor = 'x'`, 'actor'],
    [`action = 'x'`, 'action'],
    [`subject_type = 'x' and subject_id = 'y'`, 'subject_type'],
  ])
    expect(await plan(`select id ${audit} and ${where} order by at desc, id desc limit 51`)).toContain(
      `audit_entry_organization_id_${index}`,
    );
});
