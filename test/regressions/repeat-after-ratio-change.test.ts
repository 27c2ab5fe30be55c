import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { Ingester } from '../../src/services/ingest/ingester.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { ingestSettings } from '../support/ingest.js';
import { insertMeter } from '../support/rows.js';

const log = pino({ level: 'silent' });
let test: TestDatabase;
let broker: MemoryBroker;
beforeAll(async () => {
  test = await createTestDatabase();
  broker = new MemoryBroker(log);
});
afterAll(async () => {
  await broker.close();
  await test.drop();
});

/** A repeat that decided by its later collection wrote the value anew, with the ratio of that day. */
it.each(['keep_first', 'take_latest'])(
  'a repeat leaves the stored value alone when a ratio has changed meanwhile, with the policy %s',
  async (policy) => {
    const { pool } = test.database;
    await pool.query('update organization set revision_policy = $1', [policy]);
    const meter = await insertMeter(pool, policy, { current_transformer_ratio: '3' });
    const ingester = new Ingester(pool, broker, ingestSettings({ ingestWindowMs: 0 }), log);
    const deliver = (second: number, status: number) =>
      ingester.handle({
        body: Buffer.from(
          JSON.stringify({
            meter_device: meter,
            collected_at: `2026-11-07T00:00:0${second}Z`,
            series: 'ct',
            timestamp: '2026-11-07T00:00:00Z',
            value: '1000',
            status,
          }),
        ),
        redelivered: false,
        messageId: undefined,
        publishedAt: undefined,
        headers: {},
      });
    await pool.query(
      `insert into series (id, organization_id, name, affected_by_current_transformer) select gen_random_uuid(), id, 'ct', true from organization
       on conflict do nothing`,
    );
    await deliver(5, 0);
    await pool.query(`update meter_device set current_transformer_ratio = 40 where id = $1`, [meter]);
    ingester.directory.forgetAll();
    await deliver(policy === 'keep_first' ? 1 : 9, 8);
    await ingester.stop();
    const { rows } = await pool.query(
      `select r.value, r.raw_value, r.quality, extract(second from r.collected_at)::int as collected from meter_reading r
       join register g on g.id = r.register_id where g.meter_device_id = $1`,
      [meter],
    );
    const collected = policy === 'keep_first' ? 1 : 9;
    expect(rows).toEqual([{ value: '3000', raw_value: '1000', quality: 8, collected }]);
  },
);
