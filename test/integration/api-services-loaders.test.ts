import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import { assignTask, insertGroup, insertInterface, insertMeter, insertTask } from '../support/rows.js';
import { countStatements } from '../support/statements.js';

const METERS = 50;
const brokers = testBrokers('memory:');
let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(await brokers.open());
  const { pool } = api.database;
  const { id: segment } = await api.services.segments.create(DEFAULT_ORGANIZATION_ID, { name: 'cell' });
  const { id: series } = await api.services.series.upsert(DEFAULT_ORGANIZATION_ID, { name: '2:300' });
  for (let index = 0; index < METERS; index++) {
    const line = await insertInterface(pool, `line ${index}`, { segment_id: segment });
    const meter = await insertMeter(pool, `meter ${index}`, { network_interface_id: line });
    const task = await insertTask(pool, `task ${index}`);
    await assignTask(pool, meter, task);
    await insertGroup(pool, `group ${index}`, [task], [meter]);
    await pool.query(
      `with r as (insert into register (meter_device_id, series_id) values ($1, $2) returning id)
       insert into meter_reading select id, now(), 1, 0, 0, now() from r`,
      [meter, series],
    );
    await api.services.invocation.invokeAmrTask(DEFAULT_ORGANIZATION_ID, { amrTask: task, meterDevice: meter });
  }
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});

const RUNS = 'nodes { id state meterDevice { name } amrTask { name } } totalCount';
const EVERYTHING = `query ($first: Int!) { meterDevices(first: $first) { totalCount nodes {
  name hasCredentials lastReadingAt
  networkInterface { name isBusy segment { name openSessions } }
  taskGroups { name tasks { name groups { name } } meterDevices(first: 5) { totalCount nodes { name } } }
  meterTasks { name nextRunAt runs(first: 3, filter: {states: [PENDING]}) { ${RUNS} } }
  registers { id series { name } meterDevice { name } firstReadingAt lastReadingAt }
  taskRuns(first: 2) { ${RUNS} }
} } }`;

it('asks the database as often for fifty meters with all their relations as for one', async () => {
  const statementsFor = async (first: number) => {
    const statements = countStatements();
    try {
      const { meterDevices } = await api.run<{ meterDevices: { nodes: Record<string, unknown>[] } }>(EVERYTHING, {
        first,
      });
      return { statements: statements.count(), nodes: meterDevices.nodes };
    } finally {
      statements.restore();
    }
  };
  const one = await statementsFor(1);
  const fifty = await statementsFor(METERS);
  expect(one.nodes).toHaveLength(1);
  expect(fifty.nodes).toHaveLength(METERS);
  expect(fifty.nodes.at(-1)).toMatchObject({
    name: `meter ${METERS - 1}`,
    networkInterface: { name: `line ${METERS - 1}`, isBusy: false, segment: { name: 'cell', openSessions: 0 } },
    taskGroups: [{ name: `group ${METERS - 1}`, meterDevices: { totalCount: 1 } }],
    meterTasks: [
      { runs: { totalCount: 1, nodes: [{ state: 'PENDING', meterDevice: { name: `meter ${METERS - 1}` } }] } },
    ],
    taskRuns: { totalCount: 1 },
  });
  expect(one.statements).toBeGreaterThan(10);
  expect(fifty.statements).toBe(one.statements);
});

it('counts a list only when its total is asked for', async () => {
  const statements = countStatements();
  try {
    await api.run('{ meterDevices { nodes { id } } }');
    expect(statements.count()).toBe(2);
    await api.run('{ meterDevices { nodes { id } totalCount } }');
    expect(statements.count()).toBe(5);
  } finally {
    statements.restore();
  }
});
