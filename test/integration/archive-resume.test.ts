import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ACK } from '../../src/messaging/broker.js';
import type { NewMeterReadingMessage, PollSessionMessage, ResultMessage } from '../../src/messaging/contracts.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { createCollection } from '../../src/services/collection.js';
import { ReadingPublisher } from '../../src/services/reading-publisher.js';
import { ResultsBook } from '../../src/services/results.js';
import { materialiseDueSlots } from '../../src/services/slots.js';
import type { MeterFault } from '../../src/simulators/faults.js';
import { startFleet, type Fleet, type FleetOptions } from '../../src/simulators/fleet.js';
import { silentLog } from '../support/broker.js';
import { claimDue } from '../support/claim.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { assignTask, insertInterface, insertMeter, insertTask } from '../support/rows.js';

const HOUR_MS = 3_600_000;
const SERIES = 8;
type Finished = Extract<ResultMessage, { type: 'run_finished' }>;

/** Scheduler and poller over one database, and meters that break off: what a run reads over all its tries. */
describe('an archive that is read in several tries', () => {
  let test: TestDatabase;
  let broker: MemoryBroker;
  let published: (ResultMessage | NewMeterReadingMessage)[];

  beforeAll(async () => {
    test = await createTestDatabase();
    broker = new MemoryBroker(silentLog);
    const { handle } = new ResultsBook(
      test.database.pool,
      broker,
      { sessionCapMs: 60_000 },
      silentLog,
      new AbortController().signal,
    );
    await broker.consume(
      'amr.results',
      (delivery) => {
        published.push(JSON.parse(delivery.body.toString()) as ResultMessage);
        return handle(delivery);
      },
      { prefetch: 1 },
    );
    await broker.consume(
      'readings.new',
      async ({ body }) => {
        published.push(JSON.parse(body.toString()) as NewMeterReadingMessage);
        return ACK;
      },
      { prefetch: 1 },
    );
  });
  afterAll(async () => {
    await broker.close();
    await test.drop();
  });
  beforeEach(async () => {
    published = [];
    await query('truncate task_run, task_slot, poll_session, amr_task, meter_device, network_interface cascade');
  });

  const query = async (sql: string, parameters: unknown[] = []) =>
    (await test.database.pool.query(sql, parameters)).rows as Record<string, unknown>[];
  const finished = () =>
    published.filter((message): message is Finished => 'type' in message && message.type === 'run_finished');
  const cells = () =>
    published.flatMap((message) =>
      'readings' in message
        ? message.readings.map(({ series, timestamp, value }) => `${series} ${timestamp} ${value}`)
        : [],
    );

  async function withMeter(fault: MeterFault, options: Partial<FleetOptions>, work: (fleet: Fleet) => Promise<void>) {
    const fleet = await startFleet({ meters: 1, faults: { 0: fault }, ...options });
    try {
      const { pool } = test.database;
      const { port, serialNumber } = fleet.meters[0]!;
      const network_interface_id = await insertInterface(pool, 'line', { port });
      const meter = await insertMeter(pool, 'm', { network_interface_id, serial_number: serialNumber });
      const task = await insertTask(pool, 'archive', {
        task_kwargs: { offset_seconds: 400 * 86_400 },
        deadline_seconds: 86_400,
      });
      await assignTask(pool, meter, task);
      await materialiseDueSlots(pool);
      await work(fleet);
    } finally {
      await fleet.stop();
    }
  }

  /** The next try of the run, without the pause before it. */
  async function tryRun(sessionCapMs = 60_000): Promise<PollSessionMessage> {
    await query(`update task_run set not_before = now() - interval '1 second' where state = 'pending'`);
    const [session, ...others] = await claimDue(test.database.pool, { startByMs: 60_000, sessionCapMs });
    expect(others).toEqual([]);
    const settings = { credentialsPrivateKey: undefined, replyTimeoutMs: 5_000, connectTimeoutMs: 5_000 };
    const body = Buffer.from(JSON.stringify(session));
    const delivery = { body, redelivered: false, messageId: undefined, publishedAt: undefined, headers: {} };
    expect(
      await createCollection(broker, new ReadingPublisher(broker, silentLog), settings, silentLog).run(delivery),
    ).toEqual(ACK);
    return session!;
  }
  const run = async () => (await query('select * from task_run'))[0]!;

  it('is complete at the end, though no connection lasts for all of it', async () => {
    // About one block of ten rows more than the meter sends before the first.
    const fault: MeterFault = { kind: 'hang-up', afterBytes: 3_500 };
    await withMeter(fault, { installedAt: Date.now() - 24 * HOUR_MS }, async (fleet) => {
      const resumes: unknown[] = [];
      do resumes.push((await tryRun()).calls[0]!.resume);
      while ((await run())['state'] === 'pending');

      const { state, attempts, reading_count, resume } = await run();
      expect({ state, resume }).toEqual({ state: 'succeeded', resume: null });
      expect(attempts).toBeGreaterThan(1);
      const truth = [...fleet.truth(-Infinity, Infinity, 3)].map(
        ({ series, timestamp, value }) => `${series} ${timestamp} ${value}`,
      );
      expect(truth).toHaveLength(24 * SERIES);
      expect(new Set(cells())).toEqual(new Set(truth));
      // Each try began with the row that the one before had ended with, and all that was read is counted.
      expect(cells()).toHaveLength((24 + Number(attempts) - 1) * SERIES);
      expect(reading_count).toBe(cells().length);
      expect(resumes[0]).toBeUndefined();
      expect(resumes.slice(1).every((state) => state !== undefined)).toBe(true);
    });
  });

  it('keeps what was read when the session is ended at its cap, and goes on from there', async () => {
    const fault: MeterFault = { kind: 'delay', ms: 10 };
    await withMeter(fault, {}, async () => {
      await tryRun(1_000);
      expect(finished()).toMatchObject([{ ok: false, error: { code: 'SESSION_CAP' }, resume: { last: {} } }]);
      const read = cells().length;
      expect(read).toBeGreaterThan(0);
      expect(finished()[0]!.reading_count).toBe(read);
      expect(published.findIndex((message) => 'readings' in message)).toBeLessThan(published.indexOf(finished()[0]!));
      const before = await run();
      expect(before).toMatchObject({ state: 'pending', reading_count: read, resume: finished()[0]!.resume });

      const { last } = finished()[0]!.resume as { last: { order: string } };
      await tryRun(1_000);
      const { last: next } = finished()[1]!.resume as { last: { order: string } };
      expect(Number(next.order)).toBeGreaterThan(Number(last.order));
      expect((await run())['reading_count']).toBe(cells().length);
    });
  });

  it('keeps its place over a try that reached nothing', async () => {
    await withMeter(
      { kind: 'hang-up', afterBytes: 3_500 },
      { installedAt: Date.now() - 24 * HOUR_MS },
      async (fleet) => {
        await tryRun();
        const { resume } = await run();
        expect(resume).toMatchObject({ last: {} });
        await fleet.stop();
        await tryRun();
        expect(await run()).toMatchObject({ state: 'pending', error_code: 'CONNECT_REFUSED', resume });
      },
    );
  });
});
