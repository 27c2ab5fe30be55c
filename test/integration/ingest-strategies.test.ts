import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import type { RevisionPolicy } from '../../src/domain/enums.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { Ingester, type IngestSettings } from '../../src/services/ingest/ingester.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { ingestSettings } from '../support/ingest.js';
import { insertMeter } from '../support/rows.js';

const log = pino({ level: 'silent' });
const STRATEGIES = ['sequential', 'hybrid', 'async'] as const;

/** A message of one to three readings of one of four meters, with values that meet at few keys. */
const message = fc.record({
  meter: fc.integer({ min: 0, max: 3 }),
  collected: fc.integer({ min: 0, max: 5 }),
  readings: fc.array(
    fc.record({ hour: fc.integer({ min: 0, max: 2 }), value: fc.constantFrom('1', '1.0', '2', '3') }),
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
});

describe('strategies', () => {
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

  /** Hands the bodies over, in their order, to `ingesters` ingesters in turn, and waits until all are committed. */
  const ingest = async (bodies: readonly unknown[], settings: Partial<IngestSettings>, ingesters = 1) => {
    const { pool } = test.database;
    const started = Array.from(
      { length: ingesters },
      () => new Ingester(pool, broker, ingestSettings({ ingestWindowMs: 1, ...settings }), log),
    );
    try {
      const settled = await Promise.all(
        bodies.map((body, index) =>
          started[index % ingesters]!.handle({
            body: Buffer.from(JSON.stringify(body)),
            redelivered: false,
            messageId: undefined,
            publishedAt: undefined,
            headers: {},
          }),
        ),
      );
      expect(settled.every(({ kind }) => kind === 'ack')).toBe(true);
    } finally {
      for (const ingester of started) await ingester.stop();
    }
  };
  const finalState = async (prefix: string) => {
    const { rows } = await test.database.pool.query<{ row: string }>(
      `select concat_ws(' ', split_part(m.name, '/', 2), s.name, r.measured_at, trim_scale(r.value), r.collected_at, r.message_id,
         (select string_agg(trim_scale(v.value)::text, ',' order by v.value) from meter_reading_revision v
          where v.register_id = r.register_id and v.measured_at = r.measured_at)) as row
       from meter_reading r join register g on g.id = r.register_id join series s on s.id = g.series_id
       join meter_device m on m.id = g.meter_device_id where m.name like $1 order by 1`,
      [`${prefix}/%`],
    );
    const { rows: counts } = await test.database.pool.query<Record<string, string>>(
      `select sum(stored) as stored, sum(duplicate) as duplicate, sum(revised) as revised from reading_outcome`,
    );
    await test.database.pool.query('truncate reading_outcome');
    return { rows: rows.map(({ row }) => row), counts: counts[0] };
  };

  it.each(['keep_first', 'take_latest'] as RevisionPolicy[])(
    'leave the same behind, whatever the order of arrival, with the policy %s',
    async (policy) => {
      const { pool } = test.database;
      await pool.query('update organization set revision_policy = $1', [policy]);
      let run = 0;
      await fc.assert(
        fc.asyncProperty(
          fc
            .array(message, { minLength: 1, maxLength: 25 })
            .chain((messages) =>
              fc.tuple(
                fc.constant(messages),
                fc.shuffledSubarray(Array.from(messages.keys()), { minLength: messages.length }),
              ),
            ),
          async ([messages, order]) => {
            const states: unknown[] = [];
            for (const [place, ingestStrategy] of STRATEGIES.entries()) {
              const prefix = `${policy}-${run++}`;
              for (let meter = 0; meter < 4; meter++) await insertMeter(pool, `${prefix}/${meter}`);
              const bodies = messages.map(({ meter, collected, readings }, index) => ({
                version: 1,
                message_id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
                meter: `${prefix}/${meter}`,
                collected_at: new Date(Date.UTC(2026, 0, 2) + collected * 1000).toISOString(),
                readings: readings.map(({ hour, value }) => ({
                  series: 's',
                  timestamp: new Date(Date.UTC(2026, 0, 1, hour)).toISOString(),
                  value,
                })),
              }));
              const arrivals = place === 0 ? bodies : order.map((index) => bodies[index]);
              await ingest(arrivals, { ingestStrategy, ingestBatch: 4, ingestParallelism: 3 }, place === 2 ? 2 : 1);
              states.push(await finalState(prefix));
            }
            expect(states[1]).toEqual(states[0]);
            expect(states[2]).toEqual(states[0]);
          },
        ),
        { numRuns: 15 },
      );
    },
    60_000,
  );

  const logged = async () => {
    const { rows } = await test.database.pool.query<{ meter: string; at: number; log: string }>(
      `select m.name as meter, t.at::float8 as at, l.id as log
       from reading_log l cross join lateral jsonb_array_elements(l.body::jsonb -> 'columns') c
       join meter_device m on m.id = (c ->> 'meter')::uuid
       cross join lateral jsonb_array_elements_text(c -> 't') with ordinality as t (at, place)
       order by l.id, t.place`,
    );
    await test.database.pool.query('truncate reading_log');
    return rows;
  };
  const stream = (meters: number, readings: number) =>
    Array.from({ length: readings }, (_, index) => ({
      meter: `ordered-${index % meters}`,
      series: 's',
      timestamp: new Date(Date.UTC(2026, 1, 1) + index * 1000).toISOString(),
      value: String(index),
    }));

  describe('keep their promise of order', () => {
    beforeAll(async () => {
      for (let meter = 0; meter < 10; meter++) await insertMeter(test.database.pool, `ordered-${meter}`);
      await test.database.pool.query(`update organization set revision_policy = 'keep_first' where id = $1`, [
        DEFAULT_ORGANIZATION_ID,
      ]);
      await test.database.pool.query('truncate reading_log, meter_reading');
    });

    it('sequential: in the order of arrival, a commit for each message', async () => {
      await ingest(stream(10, 200), { ingestStrategy: 'sequential' });
      const rows = await logged();
      expect(rows.map(({ at }) => at)).toEqual(rows.map(({ at }) => at).sort((a, b) => a - b));
      expect(new Set(rows.map(({ log: id }) => id)).size).toBe(200);
      await test.database.pool.query('truncate meter_reading');
    });

    it('hybrid: in the order of arrival for each meter, several batches at once', async () => {
      await ingest(stream(10, 2_000), { ingestStrategy: 'hybrid', ingestParallelism: 4, ingestBatch: 50 });
      const rows = await logged();
      expect(rows).toHaveLength(2_000);
      for (let meter = 0; meter < 10; meter++) {
        const times = rows.filter((row) => row.meter === `ordered-${meter}`).map(({ at }) => at);
        expect(times).toEqual([...times].sort((a, b) => a - b));
      }
    });
  });

  it('mark what is older than a reading of its register before it, and keep the newest instant', async () => {
    const { pool } = test.database;
    const meter = await insertMeter(pool, 'watermark');
    const ingester = new Ingester(pool, broker, ingestSettings({ ingestWindowMs: 0 }), log);
    const at = (hour: number) => ({ series: 's', timestamp: `2026-03-01T0${hour}:00:00Z`, value: '1' });
    const send = (readings: unknown[]) =>
      ingester.handle({
        body: Buffer.from(JSON.stringify({ meter_device: meter, readings })),
        redelivered: false,
        messageId: undefined,
        publishedAt: undefined,
        headers: {},
      });
    await pool.query('truncate reading_log');
    await send([at(1), at(3), at(2)]);
    await send([at(0), at(4)]);
    await ingester.stop();
    await ingester.watermarks.flush();
    const { rows } = await pool.query<{ late: number[] }>(
      `select c -> 'late' as late from reading_log cross join lateral jsonb_array_elements(body::jsonb -> 'columns') c order by id`,
    );
    expect(rows).toEqual([{ late: [2] }, { late: [0] }]);
    const { rows: marks } = await pool.query(
      `select w.watermark, w.late_count::int as late from register_watermark w join register g on g.id = w.register_id where g.meter_device_id = $1`,
      [meter],
    );
    expect(marks).toEqual([{ watermark: new Date('2026-03-01T04:00:00Z'), late: 2 }]);
  });
});
