import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { ensurePartition } from '../../src/db/partitions.js';
import type { Delivery } from '../../src/messaging/broker.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { Ingester } from '../../src/services/ingest/ingester.js';
import { dropOldReadings } from '../../src/services/retention.js';
import { silentLog } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { insertMeter } from '../support/rows.js';

const KEPT_DAYS = 60;
const OLD = '2020-05-10T00:00:00Z';

describe('retention of readings', () => {
  let test: TestDatabase;
  let pool: pg.Pool;
  beforeAll(async () => {
    test = await createTestDatabase();
    pool = test.database.pool;
  });
  afterAll(() => test.drop());

  const drop = () => dropOldReadings(pool, KEPT_DAYS, silentLog, new AbortController().signal);
  const count = async (table: string) =>
    (await pool.query<{ rows: number }>(`select count(*)::int as rows from ${table}`)).rows[0]!.rows;
  const months = async () =>
    (
      await pool.query<{ name: string }>(
        `select relname as name from pg_inherits join pg_class on oid = inhrelid
         where inhparent = 'meter_reading'::regclass and relname < 'meter_reading_2026' order by 1`,
      )
    ).rows.map(({ name }) => name);
  const withPartition = async (at: string) => {
    const client = await pool.connect();
    try {
      await ensurePartition(client, 'meter_reading', new Date(at));
    } finally {
      client.release();
    }
  };
  const insert = (table: string, at: string, register = 1) =>
    pool.query(
      `insert into ${table} (register_id, measured_at, value, origin, received_at) values ($2, $1, 1, 0, now())`,
      [at, register],
    );
  /** A transaction that has read all readings and does not end before `work` does. */
  const whileReading = async (work: () => Promise<void>) => {
    const reader = await pool.connect();
    try {
      await reader.query('begin');
      await reader.query('select count(*) from meter_reading');
      await work();
      // It was neither cancelled nor locked out.
      await reader.query('select count(*) from meter_reading');
      await reader.query('commit');
    } finally {
      reader.release();
    }
  };

  it('drops whole months that ended before, their revisions and watermarks, and nothing else', async () => {
    const { rows } = await pool.query<{ start: Date; end: Date }>(
      `select date_trunc('month', now() - $1 * interval '1 day') as start,
              date_trunc('month', now() - $1 * interval '1 day') - interval '1 second' as end`,
      [KEPT_DAYS],
    );
    const [kept, gone] = [rows[0]!.start.toISOString(), rows[0]!.end.toISOString()];
    for (const [register, at] of [OLD, gone, kept].entries()) {
      await withPartition(at);
      await insert('meter_reading', at, register);
      await insert('meter_reading_revision', at, register);
      await pool.query('insert into register_watermark (register_id, watermark) values ($1, $2)', [register, at]);
    }
    await drop();
    for (const [table, column] of [
      ['meter_reading', 'measured_at'],
      ['meter_reading_revision', 'measured_at'],
      ['register_watermark', 'watermark'],
    ]) {
      const left = await pool.query<{ at: Date }>(`select ${column} as at from ${table}`);
      expect([table, left.rows.map(({ at }) => at.toISOString())]).toEqual([table, [kept]]);
    }
    await drop();
    expect(await count('meter_reading')).toBe(1);
  });

  it('makes a partition while a long statement reads, without waiting', async () => {
    await whileReading(async () => {
      const client = await pool.connect();
      try {
        await client.query(`set lock_timeout = '2s'`);
        await ensurePartition(client, 'meter_reading', new Date('2019-03-01T00:00:00Z'));
        await client.query('reset lock_timeout');
      } finally {
        client.release();
      }
      expect(await months()).toContain('meter_reading_2019_03');
    });
  });

  it('leaves a drop for later while a long statement reads, and holds up no other reader', async () => {
    await withPartition(OLD);
    await whileReading(async () => {
      await expect(drop()).rejects.toMatchObject({ code: '55P03' }); // lock_not_available
      await insert('meter_reading', OLD, 99);
      expect(await count('meter_reading')).toBeGreaterThan(0);
    });
    await drop();
    expect(await months()).not.toContain('meter_reading_2020_05');
  });

  it('refuses readings of months that are not kept, and says since when they are', async () => {
    const broker = new MemoryBroker(silentLog);
    const settings = { ...loadConfig({ AMR_READINGS_KEPT_DAYS: String(KEPT_DAYS) }), ingestWindowMs: 1 };
    const ingester = new Ingester(pool, broker, settings, silentLog);
    try {
      const body = Buffer.from(JSON.stringify({ meter: 'nobody', series: 'a', timestamp: OLD, value: '1' }));
      const delivery = { body, redelivered: false, messageId: undefined, publishedAt: undefined, headers: {} };
      expect(await ingester.handle(delivery)).toEqual({ kind: 'ack' });
      const { rows } = await pool.query<{ reason: string }>('delete from dead_letter returning reason');
      expect(rows.map(({ reason }) => reason)).toEqual([expect.stringMatching(/is before \d{4}-\d\d-01, the oldest/)]);
    } finally {
      await ingester.stop();
      await broker.close();
    }
  });

  it('stores into a month that was dropped after the ingester had seen it', async () => {
    const broker = new MemoryBroker(silentLog);
    const ingester = new Ingester(pool, broker, { ...loadConfig({}), ingestWindowMs: 1 }, silentLog);
    await insertMeter(pool, 'late');
    const deliver = (hour: number) => {
      const body = { meter: 'late', series: 'a', timestamp: `2020-05-10T0${hour}:00:00Z`, value: '1' };
      const delivery: Delivery = {
        body: Buffer.from(JSON.stringify(body)),
        redelivered: false,
        messageId: undefined,
        publishedAt: undefined,
        headers: {},
      };
      return ingester.handle(delivery);
    };
    try {
      expect(await deliver(1)).toEqual({ kind: 'ack' });
      await drop();
      expect(await months()).not.toContain('meter_reading_2020_05');
      expect(await deliver(2)).toEqual({ kind: 'ack' });
      const { rows } = await pool.query(`select from meter_reading where measured_at = '2020-05-10T02:00:00Z'`);
      expect(rows).toHaveLength(1);
      expect(await count('dead_letter')).toBe(0);
    } finally {
      await ingester.stop();
      await broker.close();
    }
  });
});
