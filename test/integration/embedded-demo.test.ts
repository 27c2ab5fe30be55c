import { once, EventEmitter } from 'node:events';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MeterDevice, NetworkInterface } from '../../entities/index.js';
import { createKeyPair, open } from '../../src/credentials.js';
import { startDemo, type Demo, type DemoInvocation } from '../../src/embedded/demo.js';
import { parseTaskKwargs } from '../../src/execution/contexts.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const log = pino({ level: 'silent' });
const keys = createKeyPair();
let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.drop());

async function counts(): Promise<Record<string, number>> {
  const { rows } = await test.database.pool.query<Record<string, number>>(`
    select (select count(*)::int from meter_device) as meters, (select count(*)::int from network_interface) as interfaces,
      (select count(*)::int from amr_task) as tasks, (select count(*)::int from amr_task_group) as groups,
      (select count(*)::int from amr_task_group_tasks) as grouped_tasks,
      (select count(*)::int from meter_device_task_groups) as grouped_meters`);
  return rows[0]!;
}

async function startWith(invoke: (invocation: DemoInvocation) => Promise<unknown>): Promise<Demo> {
  return startDemo({ database: test.database, publicKey: keys.publicKey, invoke, log });
}

describe('the demo', () => {
  it('registers its fleet once, keeps what the user changed, and follows the ports of each start', async () => {
    const once20 = { meters: 20, interfaces: 20, tasks: 3, groups: 1, grouped_tasks: 3, grouped_meters: 20 };
    const first = await startWith(() => Promise.resolve());
    await first.stop();
    expect(await counts()).toEqual(once20);
    await test.database.pool.query(`update amr_task set is_active = false where name = 'Clock check'`);
    await test.database.pool.query(`update network_interface set port = 1`);

    const second = await startWith(() => Promise.resolve());
    try {
      expect(await counts()).toEqual(once20);
      const em = test.database.orm.em.fork();
      const ports = (await em.find(NetworkInterface, {})).map(({ port }) => port!);
      expect(new Set(ports).size).toBe(20);
      expect(Math.min(...ports)).toBeGreaterThan(1);
      const { rows } = await test.database.pool.query(`select name from amr_task where not is_active`);
      expect(rows).toEqual([{ name: 'Clock check' }]);
    } finally {
      await second.stop();
    }
  });

  it('seals the passwords for the meter they belong to', async () => {
    const em = test.database.orm.em.fork();
    const meter = await em.findOneOrFail(MeterDevice, { name: 'DEMO-0001' }, { populate: ['credentials'] });
    expect(open(keys.privateKey, meter.id, meter.credentials!)).toEqual({ password: '00000000' });
  });

  it('has tasks and invocations that the execution context accepts', async () => {
    const { rows } = await test.database.pool.query<{ call: string; kwargs: unknown }>(
      'select task_call as call, task_kwargs as kwargs from amr_task',
    );
    for (const { call, kwargs } of rows) expect(() => parseTaskKwargs('generic_lis200', call, kwargs)).not.toThrow();

    const seen = new EventEmitter();
    const demo = await startWith((invocation) => Promise.resolve(setImmediate(() => seen.emit('invoked', invocation))));
    try {
      const [invocation] = (await once(seen, 'invoked')) as [DemoInvocation];
      const { meterExecutionType, taskCall, taskKwargs } = invocation;
      expect(() => parseTaskKwargs(meterExecutionType, taskCall, taskKwargs)).not.toThrow();
    } finally {
      await demo.stop();
    }
  });

  it('outlives a failed invocation', async () => {
    const demo = await startWith(() => Promise.reject(new Error('no database')));
    await expect(demo.stop()).resolves.toBeUndefined();
  });
});
