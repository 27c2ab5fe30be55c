import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ReadingOrigin } from '../../src/domain/enums.js';
import { DEFAULT_ORGANIZATION_ID as ORGANIZATION } from '../../src/domain/organization.js';
import { createLiveFeed, type LiveFeed, type LiveFeedOptions } from '../../src/graphql/live-feed.js';
import type { LiveReading } from '../../src/graphql/reading-stream.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { silentLog } from '../support/broker.js';
import { batchOf, commitBatches, take } from '../support/committed-readings.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let db: TestDatabase;
let broker: MemoryBroker;
let feed: LiveFeed | undefined;
const meter = randomUUID();

beforeAll(async () => {
  db = await createTestDatabase();
  broker = new MemoryBroker(silentLog);
});
afterEach(async () => {
  await feed?.close();
  feed = undefined;
});
afterAll(async () => {
  await broker?.close();
  await db?.drop();
});

const open = async (tuning: Partial<LiveFeedOptions> = {}) =>
  (feed = await createLiveFeed({ database: db.database, broker, log: silentLog, loadRuns: async () => [], ...tuning }));

const stream = async (
  filter: Parameters<LiveFeed['readings']>[1] = null,
  after: string | null = null,
): Promise<AsyncIterator<LiveReading, void>> =>
  (await feed!.readings(ORGANIZATION, filter, after))[Symbol.asyncIterator]();

const commit = (...args: Parameters<typeof batchOf>) => commitBatches(db.database, broker, [batchOf(...args)]);
const values = (readings: LiveReading[]) => readings.map(({ value }) => Number(value));
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe('live readings', () => {
  it('arrive as committed, complete and in order', async () => {
    await open();
    const readings = await stream();
    await commit({ meter, count: 2, first: 10 });
    const [first, second] = await take(readings, 2);
    expect(first).toMatchObject({
      cursor: expect.any(String) as string,
      meterDeviceId: meter,
      series: '2:300',
      unit: 'm3',
      timestamp: new Date('2026-01-31T00:10:00Z'),
      value: '10',
      quality: [],
      origin: ReadingOrigin.SCHEDULED,
      receivedAt: new Date('2026-01-31T09:00:00Z'),
    });
    expect(second!.cursor > first!.cursor).toBe(true);
  });

  it('carry their place, and whether they are revised or late', async () => {
    await open();
    const readings = await stream();
    const batch = batchOf({ meter, count: 2, first: 12 }, { meter, count: 1, first: 14, series: '3:300' });
    const metering_point = '01a2000a-66fe-7323-ac97-60bfda18f93b';
    Object.assign(batch.columns[0]!, { place: { metering_point, customer: 'C-1', tariff: null }, late: [1] });
    Object.assign(batch.columns[1]!, { revised: true });
    await commitBatches(db.database, broker, [batch]);
    const place = { meteringPoint: metering_point, customerReference: 'C-1', tariffReference: null };
    const nowhere = { meteringPoint: null, customerReference: null, tariffReference: null };
    expect(await take(readings, 3)).toEqual([
      expect.objectContaining({ ...place, revised: false, late: false }),
      expect.objectContaining({ ...place, revised: false, late: true }),
      expect.objectContaining({ ...nowhere, revised: true, late: false }),
    ]);
  });

  it('go on in order when broadcasts are lost', async () => {
    await open({ pollMs: 60_000 });
    const readings = await stream();
    let broadcast = 0;
    await commitBatches(
      db.database,
      broker,
      range(0, 30).map((first) => batchOf({ meter, count: 1, first })),
      // The last one is heard: it shows that the others are missing.
      { heard: () => ++broadcast % 3 === 0 },
    );
    expect(values(await take(readings, 30))).toEqual(range(0, 30));
  });

  it('do not wait for a broadcast that never comes', async () => {
    await open({ pollMs: 20 });
    const readings = await stream();
    await commitBatches(db.database, broker, [batchOf({ meter, count: 1, first: 5 })], { heard: () => false });
    expect(values(await take(readings, 1))).toEqual([5]);
  });

  it('resume behind any cursor, in the middle of a batch too', async () => {
    await open();
    const readings = await stream();
    for (const first of [0, 3, 6]) await commit({ meter, count: 2, first }, { meter, count: 1, first: first + 2 });
    const all = await take(readings, 9);
    for (const [index, { cursor }] of all.entries()) {
      const rest = await stream(null, cursor);
      expect(await take(rest, 8 - index)).toEqual(all.slice(index + 1));
      await rest.return?.();
    }
  });

  it('resume across a restart of the process', async () => {
    await open();
    const before = await stream();
    await commit({ meter, count: 3 });
    const [first] = await take(before, 1);
    await feed!.close();
    await commit({ meter, count: 2, first: 3 });
    await open();
    const after = await stream(null, first!.cursor);
    await commit({ meter, count: 1, first: 5 });
    expect(values(await take(after, 5))).toEqual([1, 2, 3, 4, 5]);
  });

  it('reach a reader that is slower than the recent batches last, and it is live again after', async () => {
    await open({ limits: { batches: 2, bytes: 1_000_000 } });
    const slow = await stream();
    const fast = await stream();
    for (let first = 0; first < 40; first += 2) {
      await commit({ meter, count: 2, first });
      expect(values(await take(fast, 2))).toEqual([first, first + 1]);
    }
    expect(values(await take(slow, 40))).toEqual(range(0, 40));
    await commit({ meter, count: 1, first: 40 });
    expect(values(await take(slow, 1))).toEqual([40]);
  });

  it('are only those of the own organization', async () => {
    await open();
    const foreign = randomUUID();
    await db.database.pool.query(`insert into organization (id, name) values ($1, 'other')`, [foreign]);
    const readings = await stream();
    await commitBatches(db.database, broker, [batchOf({ meter, count: 1, first: 1 })], { organizationId: foreign });
    await commit({ meter, count: 1, first: 2 });
    expect(values(await take(readings, 1))).toEqual([2]);
  });

  it('end at once when the reader leaves while it waits', async () => {
    await open();
    const readings = await stream();
    const pending = readings.next();
    await readings.return?.();
    expect((await pending).done).toBe(true);
  });
});

describe('filter', () => {
  const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()];
  const group = randomUUID();

  beforeAll(async () => {
    const { pool } = db.database;
    for (const id of [first, second, third]) {
      await pool.query(`insert into meter_device (id, organization_id, name) values ($1, $2, $3)`, [
        id,
        ORGANIZATION,
        id,
      ]);
    }
    await pool.query(`insert into amr_task_group (id, organization_id, name) values ($1, $2, 'group')`, [
      group,
      ORGANIZATION,
    ]);
    await pool.query(
      'insert into meter_device_task_groups (meter_device_id, amr_task_group_id) values ($1, $3), ($2, $3)',
      [first, second, group],
    );
  });

  it.each([
    ['meters', { meterDevices: [first, third] }, [0, 2, 3]],
    ['task groups', { taskGroups: [group] }, [0, 1, 3]],
    ['series', { series: ['2:301'] }, [3]],
    ['origins', { origins: [ReadingOrigin.PUSH] }, [2]],
    ['several conditions, which must all hold', { taskGroups: [group], meterDevices: [first], series: ['2:300'] }, [0]],
    ['nothing that matches', { meterDevices: [] }, []],
  ])('selects by %s', async (_title, filter, expected) => {
    await open();
    const readings = await stream(filter);
    const sentinel = await stream();
    await commit(
      { meter: first, count: 1, first: 0 },
      { meter: second, count: 1, first: 1 },
      { meter: third, count: 1, first: 2, origin: ReadingOrigin.PUSH },
      { meter: first, count: 1, first: 3, series: '2:301' },
    );
    await take(sentinel, 4);
    expect(values(await take(readings, expected.length))).toEqual(expected);
  });

  it('with an id that does not exist is refused, naming it', async () => {
    await open();
    const missing = randomUUID();
    await expect(stream({ meterDevices: [first, missing] })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      field: 'filter.meterDevices',
      message: expect.stringContaining(missing) as string,
    });
    await expect(stream({ taskGroups: ['no-uuid'] })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      field: 'filter.taskGroups',
    });
  });
});

describe('after', () => {
  it('is refused when it is no cursor, or ahead of the log', async () => {
    await open();
    await expect(stream(null, 'nonsense')).rejects.toMatchObject({ code: 'BAD_USER_INPUT', field: 'after' });
    await expect(stream(null, 'zzzzzz'.padStart(11, '0') + '000000')).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
  });

  it('that is older than the log is refused with the oldest cursor, from which the stream goes on', async () => {
    await open();
    const readings = await stream();
    for (const first of [0, 2, 4]) await commit({ meter, count: 2, first });
    const all = await take(readings, 6);
    await db.database.pool.query('delete from reading_log where position < (select max(position) from reading_log)');
    await feed!.close();
    await open();
    const error = await stream(null, all[0]!.cursor).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ extensions: { code: 'CURSOR_EXPIRED', oldestCursor: expect.any(String) as string } });
    const { oldestCursor } = (error as { extensions: { oldestCursor: string } }).extensions;
    expect(await take(await stream(null, oldestCursor), 2)).toEqual(all.slice(4));
    // The last reading of a purged batch ends where the next one begins: nothing is missing behind it.
    expect(await take(await stream(null, all[3]!.cursor), 2)).toEqual(all.slice(4));
  });

  it('that expires while a slow reader waits ends its stream with that error', async () => {
    await open({ limits: { batches: 1, bytes: 1_000_000 } });
    const readings = await stream();
    const sentinel = await stream();
    for (const first of [0, 1, 2]) await commit({ meter, count: 1, first });
    await take(sentinel, 3);
    await db.database.pool.query('delete from reading_log');
    await expect(readings.next()).rejects.toMatchObject({ extensions: { code: 'CURSOR_EXPIRED' } });
  });
});
