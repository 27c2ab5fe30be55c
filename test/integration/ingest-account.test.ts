import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { uuidAt } from '../../src/domain/uuid.js';
import { REDRIVE_HEADER, RESENT_HEADER, type Delivery } from '../../src/messaging/broker.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { Ingester } from '../../src/services/ingest/ingester.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { ingestSettings } from '../support/ingest.js';
import { insertMeter } from '../support/rows.js';

const log = pino({ level: 'silent' });

describe('the account an ingester books', () => {
  let test: TestDatabase;
  let broker: MemoryBroker;
  let ingester: Ingester;
  let meter: string;
  beforeAll(async () => {
    test = await createTestDatabase();
    broker = new MemoryBroker(log);
    ingester = new Ingester(test.database.pool, broker, ingestSettings({ ingestWindowMs: 1 }), log);
    meter = await insertMeter(test.database.pool, 'accounted');
  });
  afterAll(async () => {
    await ingester.stop();
    await broker.close();
    await test.drop();
  });
  beforeEach(async () => {
    await test.database.pool.query('truncate reading_outcome, dead_letter, staged_reading, meter_reading cascade');
  });

  const at = (hour: number, value: unknown = '1') => ({ series: 's', timestamp: `2026-03-01T0${hour}:00:00Z`, value });
  const published = (readings: unknown[], named: string = meter) => ({
    version: 1,
    message_id: uuidAt(),
    meter_device: named,
    publisher: uuidAt(),
    published_at: '2026-03-01T12:00:30Z',
    readings,
  });
  const deliver = (body: unknown, delivery: Partial<Delivery> = {}) =>
    ingester.handle({
      body: Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)),
      redelivered: false,
      messageId: undefined,
      publishedAt: undefined,
      headers: {},
      ...delivery,
    });
  const booked = async () => {
    const { rows } = await test.database.pool.query<Record<string, number>>(
      `select sum(stored)::int as stored, sum(duplicate)::int as duplicate, sum(revised)::int as revised, sum(staged)::int as staged,
         sum(dead_lettered)::int as dead from reading_outcome`,
    );
    return rows[0];
  };

  it.each([
    ['redelivered', { redelivered: true }],
    ['sent again by its publisher', { headers: { [RESENT_HEADER]: 'true' } }],
    ['given to another ingester, while this one still has it,', { revoked: () => true }],
  ])('has the readings of a message once that is %s after its commit', async (_title, delivery) => {
    const fresh = published([at(1), at(2), at(3, 'wrong')]);
    const known = published([at(1)]);
    const unknown = published([at(1)], 'nobody');
    const unreadable = { ...published([at(1)]), version: 2 };
    for (const body of [fresh, known, unknown, unreadable]) await deliver(body);
    const once = { stored: 2, duplicate: 1, revised: 0, staged: 1, dead: 2 };
    expect(await booked()).toEqual(once);
    for (const body of [fresh, known, unknown, unreadable]) await deliver(body, delivery);
    expect(await booked()).toEqual(once);
    const { rows } = await test.database.pool.query('select occurrences from dead_letter');
    expect(rows).toEqual([{ occurrences: 1 }, { occurrences: 1 }]);
  });

  it('has the readings of a batch once whose commit succeeded without an answer', async () => {
    const { pool } = test.database;
    // The connection is lost with the answer to the first commit.
    const connect = vi.spyOn(pool, 'connect').mockImplementationOnce(async () => {
      connect.mockRestore();
      const client = await pool.connect();
      const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
      const spy = vi.spyOn(client, 'query').mockImplementation(async (...args: unknown[]) => {
        const result = await query(...args);
        if (args[0] !== 'commit') return result;
        spy.mockRestore();
        throw Object.assign(new Error('the connection was reset'), { code: 'ECONNRESET' });
      });
      return client;
    });
    await deliver(published([at(1), at(2), at(3, 'wrong')]));
    expect(await booked()).toEqual({ stored: 2, duplicate: 0, revised: 0, staged: 0, dead: 1 });
  });

  it('has the readings of another message with the same values again', async () => {
    await deliver(published([at(1)]));
    await deliver(published([at(1)]), { redelivered: true });
    expect(await booked()).toEqual({ stored: 1, duplicate: 1, revised: 0, staged: 0, dead: 0 });
  });

  it('moves what was dead-lettered to its outcome when it is redriven, once', async () => {
    const { pool } = test.database;
    await deliver(published([at(1), at(4)], 'to be created'));
    await deliver(published([{ ...at(1), timestamp: '2999-01-01T00:00:00Z' }, at(2)]));
    const { rows: letters } = await pool.query<{ id: string; body: Buffer }>('select id, body from dead_letter');
    expect(letters).toHaveLength(1);
    await pool.query(`update dead_letter set state = 'redriving'`);
    const headers = { [REDRIVE_HEADER]: letters[0]!.id };

    // It fails again: the letter is open again, with its reading.
    await deliver(letters[0]!.body, { headers });
    expect(await booked()).toMatchObject({ stored: 1, staged: 2, dead: 1 });
    expect((await pool.query('select state, reading_count from dead_letter')).rows).toEqual([
      { state: 'dead', reading_count: 1 },
    ]);

    // What was wrong is set right, and it is delivered twice.
    await pool.query(`update dead_letter set state = 'redriving'`);
    const mended = Buffer.from(letters[0]!.body.toString().replace('2999', '2026'));
    await deliver(mended, { headers });
    await deliver(mended, { headers, redelivered: true });
    expect(await booked()).toMatchObject({ stored: 2, duplicate: 0, staged: 2, dead: 0 });
    expect((await pool.query('select state, reading_count from dead_letter')).rows).toEqual([
      { state: 'resolved', reading_count: 0 },
    ]);
  });
});
