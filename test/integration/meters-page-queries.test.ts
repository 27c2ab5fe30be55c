import pg from 'pg';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import { insertGroup, insertMeter } from '../support/rows.js';

const brokers = testBrokers('memory:');
// Before any connection is made: each keeps the function it finds.
const query = vi.spyOn(pg.Client.prototype, 'query');
let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(await brokers.open());
  const meters: string[] = [];
  for (let index = 0; index < 40; index++) meters.push(await insertMeter(api.database.pool, `meter ${index}`));
  for (const [name, members] of [
    ['all', meters],
    ['some', meters.slice(10)],
  ] as const)
    await insertGroup(api.database.pool, name, [], members);
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
  query.mockRestore();
});

it('asks the database as often for a page of 40 meters as for one of 2', async () => {
  const counts: number[] = [];
  for (const first of [2, 40]) {
    query.mockClear();
    const { meterDevices } = await api.run<{ meterDevices: { nodes: { taskGroups: unknown[] }[] } }>(
      `{ meterDevices(first: ${first}) { nodes { name lastReadingAt networkInterface { name } taskGroups { name } } } }`,
    );
    expect(meterDevices.nodes).toHaveLength(first);
    expect(meterDevices.nodes.at(-1)!.taskGroups.length).toBeGreaterThan(0);
    counts.push(query.mock.calls.length);
  }
  expect(counts[0]).toBeGreaterThanOrEqual(4);
  expect(counts[1]).toBe(counts[0]);
  expect(counts[1]).toBeLessThan(12);
});
