import type pg from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numberCommitted } from '../../src/db/reading-log.js';
import { promoteStaged } from '../../src/services/staged-promotion.js';
import { storeOfStaged } from '../../src/services/ingest/staged-store.js';
import { Ingester } from '../../src/services/ingest/ingester.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import type { Delivery, Disposition } from '../../src/messaging/broker.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { ingestSettings } from '../support/ingest.js';
import { insertMeter } from '../support/rows.js';

const log = pino({ level: 'silent' });
const settings = ingestSettings({ ingestBatch: 100, ingestWindowMs: 5 });
const promoteAll = (pool: pg.Pool) => {
  const { enrich, write } = storeOfStaged(pool);
  return promoteStaged(pool, enrich, write);
};

describe('ingestion', () => {
  let test: TestDatabase;
  let broker: MemoryBroker;
  let ingester: Ingester;
  beforeAll(async () => {
    test = await createTestDatabase();
    broker = new MemoryBroker(log);
    ingester = new Ingester(test.database.pool, broker, settings, log);
  });
  afterAll(async () => {
    await ingester.stop();
    await broker.close();
    await test.drop();
  });

  const deliver = (body: unknown): Promise<Disposition> => {
    const delivery: Delivery = {
      body: Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)),
      redelivered: false,
      messageId: undefined,
      publishedAt: undefined,
      headers: {},
    };
    return ingester.handle(delivery);
  };
  const rows = async (sql: string, parameters: unknown[] = []) =>
    (await test.database.pool.query(sql, parameters)).rows as Record<string, unknown>[];
  const stored = (meter: string) =>
    rows(
      `select s.name as series, to_char(r.measured_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI') as at, r.value::text
       from meter_reading r join register g on g.id = r.register_id join series s on s.id = g.series_id
       join meter_device m on m.id = g.meter_device_id where m.name = $1 order by 1, 2`,
      [meter],
    );

  it('stores both forms of a message, exactly, by name or id, in any month', async () => {
    const meter = await insertMeter(test.database.pool, 'forms');
    await Promise.all([
      deliver({
        meter: 'forms',
        series: '7-0:13.26.0*101',
        timestamp: '2026-01-31T10:00:00+01:00',
        value: '9000.1250',
      }),
      deliver({
        version: 1,
        meter_device: meter,
        readings: [
          { series: '2:300', timestamp: '2011-03-01T00:00:00Z', value: '0.10', unit: 'm3', status: 0 },
          { series: '2:300', timestamp: '2026-03-01T00:00:00Z', value: '123456789012345678901234567890.12345678' },
        ],
      }),
    ]);
    expect(await stored('forms')).toEqual([
      { series: '2:300', at: '2011-03-01T00:00', value: '0.10' },
      { series: '2:300', at: '2026-03-01T00:00', value: '123456789012345678901234567890.12345678' },
      { series: '7-0:13.26.0*101', at: '2026-01-31T09:00', value: '9000.1250' },
    ]);
    expect(await rows(`select unit from series where name = '2:300'`)).toEqual([{ unit: 'm3' }]);
  });

  it('stores a key once, counts what comes again, and keeps another value as a revision', async () => {
    const meter = await insertMeter(test.database.pool, 'twice');
    const run = uuidAt(Date.UTC(2026, 10, 1));
    const { pool } = test.database;
    await pool.query(
      `insert into task_run (id, scheduled_for, organization_id, origin, state, meter_device_id, meter_execution_type, task_call, task_kwargs, not_before, deadline)
       select $1, $2, organization_id, 'on_demand', 'succeeded', id, 'x', 'x', '{}', $2, $2 from meter_device where id = $3`,
      [run, new Date(Date.UTC(2026, 10, 1)), meter],
    );
    const reading = (value: string) => ({
      meter_device: meter,
      series: 'a',
      timestamp: '2026-11-01T00:00:00Z',
      value,
      task_run: run,
    });
    await deliver(reading('1.50'));
    await Promise.all([deliver(reading('1.5')), deliver(reading('2'))]);
    await deliver(reading('2'));
    expect(await stored('twice')).toEqual([{ series: 'a', at: '2026-11-01T00:00', value: '1.50' }]);
    expect(await rows('select value::text from meter_reading_revision')).toEqual([{ value: '2' }]);
    expect(
      await rows('select stored_count, duplicate_count, revised_count from task_run where id = $1', [run]),
    ).toEqual([{ stored_count: 1, duplicate_count: 2, revised_count: 1 }]);
  });

  it('refuses a wrong reading alone and says what is wrong with it', async () => {
    const meter = await insertMeter(test.database.pool, 'neighbours');
    const good = (hour: string) => ({ series: 'b', timestamp: `2026-11-01T${hour}:00:00Z`, value: '1' });
    const disposition = await deliver({
      meter_device: meter,
      readings: [
        good('01'),
        { ...good('02'), timestamp: '2026-11-01T02:00:00' },
        { ...good('03'), value: 'NaN' },
        { ...good('04'), value: 4 },
        { ...good('05'), timestamp: '2999-01-01T00:00:00Z' },
        { ...good('05'), series: 'nul\u0000' },
        good('06'),
      ],
    });
    expect(disposition).toEqual({ kind: 'ack' });
    expect((await stored('neighbours')).map((row) => row['at'])).toEqual(['2026-11-01T01:00', '2026-11-01T06:00']);
    const reasons = await rows('select reason from dead_letter order by reason');
    expect(reasons.map((row) => row['reason'])).toEqual([
      expect.stringMatching(/^readings\.1\.timestamp: "2026-11-01T02:00:00" is not ISO 8601 text with an offset/),
      expect.stringMatching(/^readings\.2\.value: must be a decimal as text/),
      expect.stringMatching(/^readings\.3\.value: must be a decimal as text/),
      expect.stringMatching(/^readings\.4\.timestamp: 2999-01-01T00:00:00Z is too far ahead of now/),
      expect.stringMatching(/^readings\.5\.series: must be text/),
    ]);
  });

  it.each([
    ['malformed JSON', Buffer.from('{"meter": "x", '), /not JSON/],
    ['no meter', { series: 'a', timestamp: '2026-11-01T00:00:00Z', value: '1' }, /^meter_device: must be/],
    ['an unknown version', { version: 9, meter: 'x', readings: [] }, /^version: must be 1/],
    ['an empty body', Buffer.alloc(0), /is empty/],
    ['an array', [], /must be a JSON object/],
    [
      'an organization that does not exist',
      { organization: uuidAt(), meter: 'x', series: 'a', timestamp: '2026-11-01T00:00:00Z', value: '1' },
      /^organization: .* does not exist/,
    ],
  ])('keeps %s as a dead letter with its reason', async (_title, body, reason) => {
    expect(await deliver(body)).toEqual({ kind: 'ack' });
    const [last] = await rows('select reason from dead_letter order by last_seen_at desc, id desc limit 1');
    expect(last!['reason']).toMatch(reason);
  });

  it('counts the same dead letter instead of keeping it twice', async () => {
    const body = Buffer.from('twice the same rubbish');
    await deliver(body);
    await deliver(body);
    expect(await rows('select occurrences from dead_letter where body = $1', [body])).toEqual([{ occurrences: 2 }]);
  });

  it('keeps readings of an unknown meter and stores them once it exists', async () => {
    const reading = { meter: 'later', series: 'c', timestamp: '2026-11-01T00:00:00Z', value: '7' };
    await Promise.all([deliver(reading), deliver(reading)]);
    const promote = () => promoteAll(test.database.pool);
    expect(await promote()).toBe(0);
    await insertMeter(test.database.pool, 'later');
    expect(await promote()).toBe(1);
    expect(await stored('later')).toEqual([{ series: 'c', at: '2026-11-01T00:00', value: '7' }]);
    expect(await promote()).toBe(0);
  });

  it('stores staged readings of a time without partition, and of a meter named by an id in capitals', async () => {
    const id = '0190abcd-0000-7000-8000-00000000000a';
    await deliver({ meter_device: id.toUpperCase(), series: 'c', timestamp: '2003-02-01T00:00:00Z', value: '7' });
    await insertMeter(test.database.pool, 'older', { id });
    const { pool } = test.database;
    expect(await promoteAll(pool)).toBe(1);
    expect(await stored('older')).toEqual([{ series: 'c', at: '2003-02-01T00:00', value: '7' }]);
  });

  it('finds the organization however its id is written', async () => {
    await insertMeter(test.database.pool, 'capitals');
    await deliver({
      organization: DEFAULT_ORGANIZATION_ID.toUpperCase(),
      meter: 'capitals',
      series: 'a',
      timestamp: '2026-11-01T00:00:00Z',
      value: '1',
    });
    expect(await stored('capitals')).toHaveLength(1);
  });

  it('keeps very many wrong readings of a message together, and stores the good ones', async () => {
    await insertMeter(test.database.pool, 'mostly wrong');
    const readings = Array.from({ length: 500 }, (_, index) => ({
      series: 'a',
      timestamp: '2026-11-01T00:00:00Z',
      value: index === 7 ? '1' : 'x',
    }));
    await deliver({ meter: 'mostly wrong', comment: 'c'.repeat(100_000), readings });
    expect(await stored('mostly wrong')).toHaveLength(1);
    expect(
      await rows(
        `select reason, jsonb_array_length(convert_from(body, 'UTF8')::jsonb -> 'readings') as kept, reading_count as readings
         from dead_letter where reason like '%more of its readings)'`,
      ),
    ).toEqual([
      {
        reason: expect.stringMatching(/^readings\.0\.value: .* \(and 498 more of its readings\)$/) as string,
        kept: 499,
        readings: 499,
      },
    ]);
  });

  it('at a stop finishes the batch in hand and hands back the rest at once', async () => {
    await insertMeter(test.database.pool, 'stopped');
    const stopped = new Ingester(test.database.pool, broker, { ...settings, ingestBatch: 10, ingestWindowMs: 0 }, log);
    const handle = (index: number) =>
      stopped.handle({
        body: Buffer.from(
          JSON.stringify({
            meter: 'stopped',
            series: 'a',
            timestamp: new Date(Date.UTC(2026, 10, 1) + index * 1000).toISOString(),
            value: '1',
          }),
        ),
        redelivered: false,
        messageId: undefined,
        publishedAt: undefined,
        headers: {},
      });
    const settled = Array.from({ length: 1_000 }, (_, index) => handle(index));
    await settled[0];
    await stopped.stop();
    const kinds = (await Promise.all(settled)).map(({ kind }) => kind);
    const acked = kinds.filter((kind) => kind === 'ack').length;
    expect(acked).toBeLessThan(1_000);
    expect(await stored('stopped')).toHaveLength(acked);
    expect((await handle(1_001)).kind).toBe('requeue');
  });

  it('numbers committed batches without a hole, once', async () => {
    const { pool } = test.database;
    const both = await Promise.all([numberCommitted(pool), numberCommitted(pool)]);
    const positions = both.flat().map((row) => Number(row.position));
    expect(positions).toEqual(positions.map((_, index) => index + 1));
    const inLog = await rows('select sum(reading_count)::int as readings from reading_log');
    const inTable = await rows('select count(*)::int as readings from meter_reading');
    expect(inLog).toEqual(inTable);
  });

  it('makes each register once when two ingesters meet a new meter together', async () => {
    const other = new Ingester(test.database.pool, broker, { ...settings, ingestWindowMs: 1 }, log);
    try {
      await insertMeter(test.database.pool, 'race');
      const readings = (hour: number) =>
        Array.from({ length: 50 }, (_, index) => ({
          series: `r${index}`,
          timestamp: `2026-11-02T0${hour}:00:00Z`,
          value: '1',
        }));
      const send = (to: Ingester, hour: number) =>
        to.handle({
          body: Buffer.from(JSON.stringify({ meter: 'race', readings: readings(hour) })),
          redelivered: false,
          messageId: undefined,
          publishedAt: undefined,
          headers: {},
        });
      await Promise.all([send(ingester, 1), send(other, 2), send(ingester, 3), send(other, 3)]);
      expect(await stored('race')).toHaveLength(150);
      expect(await rows(`select count(*)::int as n from series where name like 'r%'`)).toEqual([{ n: 50 }]);
    } finally {
      await other.stop();
    }
  });
});
