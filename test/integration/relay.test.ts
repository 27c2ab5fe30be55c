import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { whileLeading } from '../../src/db/leader.js';
import { readLogHead } from '../../src/db/reading-log.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt, uuidOf } from '../../src/domain/uuid.js';
import { PublishError, type Broker } from '../../src/messaging/broker.js';
import type { CommittedBatch, CommittedReadingsMessage } from '../../src/messaging/contracts.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { Ingester } from '../../src/services/ingest/ingester.js';
import { measureRelayLag } from '../../src/services/relay-lag.js';
import { relayWhileLeading } from '../../src/services/relay.js';
import { silentLog, testBrokers, type TestBrokers } from '../support/broker.js';
import { batchOf } from '../support/committed-readings.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { insertMeter } from '../support/rows.js';
import { openTopicQueue } from '../support/topic-queue.js';

const amqpUrl = inject('amqpUrl');
const within = { timeout: 10_000, interval: 5 };
const METER = uuidAt();

let test: TestDatabase;
let closing: (() => Promise<void>)[];
beforeEach(async () => {
  test = await createTestDatabase();
  closing = [];
});
afterEach(async () => {
  for (const close of closing.reverse()) await close();
  await test.drop();
});

/** Commits batches as an ingester does, and wakes the relay. */
async function commit(...batches: CommittedBatch[]): Promise<void> {
  for (const batch of batches) {
    await test.database.pool.query(
      'insert into reading_log (organization_id, reading_count, body) values ($1, 1, $2)',
      [DEFAULT_ORGANIZATION_ID, JSON.stringify(batch)],
    );
  }
  await test.database.pool.query(`select pg_notify('amr_relay', '')`);
}

const one = (first: number) => batchOf({ meter: METER, count: 1, first });

function relay(broker: Broker, readingsExchange = false): () => Promise<void> {
  const { pool } = test.database;
  const stop = whileLeading(test.url, 'relay', silentLog, (leadership) =>
    relayWhileLeading(pool, broker, { readingsExchange }, silentLog, leadership),
  );
  closing.push(stop);
  return stop;
}

function memoryBroker(): MemoryBroker {
  const broker = new MemoryBroker(silentLog);
  closing.push(() => broker.close());
  return broker;
}

/** Positions that API processes hear. */
async function heardOn(broker: Broker): Promise<number[]> {
  const heard: number[] = [];
  await broker.listen('readings.committed', (body) => {
    heard.push((JSON.parse(body.toString()) as { position: number }).position);
  });
  return heard;
}

describe('relay', () => {
  it('broadcasts what was committed, in order, and notes how far it is', async () => {
    const broker = memoryBroker();
    const heard = await heardOn(broker);
    relay(broker);
    await commit(one(1), one(2));
    await commit(one(3));
    await vi.waitFor(() => expect(heard).toEqual([1, 2, 3]), within);
    await vi.waitFor(async () => expect((await readLogHead(test.database.pool)).published).toBe(3), within);
  });

  it('broadcasts what a leader numbered that died before it could', async () => {
    const dying = memoryBroker();
    let release!: () => void;
    const hung = new Promise<void>((resolve) => (release = resolve));
    const tried = vi.spyOn(dying, 'broadcast').mockReturnValue(hung);
    relay(dying);
    closing.push(async () => release());
    await commit(one(1), one(2), one(3));
    await vi.waitFor(() => expect(tried).toHaveBeenCalled(), within);
    const heir = memoryBroker();
    const heard = await heardOn(heir);
    relay(heir);
    // The connection that holds the lock ends, as when its process is killed.
    await test.database.pool.query(
      `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())`,
    );
    await commit(one(4));
    await vi.waitFor(() => expect(heard).toEqual([1, 2, 3, 4]), within);
    expect(tried).toHaveBeenCalledTimes(1);
  });

  it('broadcasts once the broker is back what was numbered while it was away', async () => {
    const broker = memoryBroker();
    const heard = await heardOn(broker);
    const connected = vi.spyOn(broker, 'connected', 'get').mockReturnValue(false);
    relay(broker);
    await commit(one(1), one(2));
    await vi.waitFor(async () => expect((await readLogHead(test.database.pool)).position).toBe(2), within);
    expect(await measureRelayLag(test.database.pool)).toContainEqual(
      expect.objectContaining({ target: 'live', batches: 2 }),
    );
    connected.mockReturnValue(true);
    await commit(one(3));
    await vi.waitFor(() => expect(heard).toEqual([1, 2, 3]), within);
  });

  it('publishes nothing to the topic exchange unless it is switched on, then begins at the head', async () => {
    const broker = memoryBroker();
    const publishTo = vi.spyOn(broker, 'publishTo');
    const stop = relay(broker);
    await commit(one(1));
    await vi.waitFor(async () => expect((await readLogHead(test.database.pool)).published).toBe(1), within);
    await stop();
    relay(broker, true);
    await vi.waitFor(async () => expect((await readLogHead(test.database.pool)).exchanged).toBe(1), within);
    await commit(one(2));
    await vi.waitFor(() => expect(publishTo).toHaveBeenCalledTimes(1), within);
    expect(JSON.parse(publishTo.mock.calls[0]![2].toString())).toMatchObject({ position: 2 });
  });

  it('publishes a refused message again, before the next one of its meter, and holds up no broadcast', async () => {
    const broker = memoryBroker();
    const heard = await heardOn(broker);
    const received: number[] = [];
    let refuses = true;
    vi.spyOn(broker, 'publishTo').mockImplementation(async (_topic, _key, body) => {
      const { position } = JSON.parse(body.toString()) as CommittedReadingsMessage;
      if (refuses && position === 2) throw new PublishError('a queue may be full');
      received.push(position);
    });
    relay(broker, true);
    await vi.waitFor(async () => expect((await readLogHead(test.database.pool)).exchanged).toBe(0), within);
    await commit(one(1), one(2), one(3), one(4));
    await vi.waitFor(() => expect(heard).toEqual([1, 2, 3, 4]), within);
    await vi.waitFor(() => expect(received).toEqual([1]), within);
    // The first may have been seen before the others were committed.
    expect((await readLogHead(test.database.pool)).exchanged).toBeLessThan(2);
    refuses = false;
    await vi.waitFor(() => expect(received).toEqual([1, 2, 3, 4]), within);
    await vi.waitFor(async () => expect((await readLogHead(test.database.pool)).exchanged).toBe(4), within);
    expect(await measureRelayLag(test.database.pool)).toContainEqual({ target: 'exchange', seconds: 0, batches: 0 });
  });

  it('publishes to the exchange what a leader did not get confirmed', async () => {
    const dying = memoryBroker();
    const hung = vi.spyOn(dying, 'publishTo').mockImplementation(() => new Promise<void>(() => undefined));
    const stop = relay(dying, true);
    await vi.waitFor(async () => expect((await readLogHead(test.database.pool)).exchanged).toBe(0), within);
    await commit(one(1), one(2));
    await vi.waitFor(() => expect(hung).toHaveBeenCalled(), within);
    await stop();
    const heir = memoryBroker();
    const received: number[] = [];
    await heir.bind('readings', '#', (body) => {
      received.push((JSON.parse(body.toString()) as CommittedReadingsMessage).position);
    });
    relay(heir, true);
    await vi.waitFor(() => expect(received).toEqual([1, 2]), within);
  });
});

describe.skipIf(amqpUrl === undefined)('readings for other programs, on RabbitMQ', () => {
  let brokers: TestBrokers;
  let broker: Broker;
  beforeEach(async () => {
    brokers = testBrokers(amqpUrl!);
    closing.push(() => brokers.dispose());
    broker = await brokers.open();
  });

  it('gives every stored reading to a queue bound with <organization>.#, once, in order per meter', async () => {
    const { pool } = test.database;
    const meters = [await insertMeter(pool, 'first'), await insertMeter(pool, 'second')];
    const queue = await openTopicQueue(broker, brokers.config, 'readings', `${DEFAULT_ORGANIZATION_ID}.#`);
    closing.push(() => queue.close());
    const elsewhere = await openTopicQueue(broker, brokers.config, 'readings', `${uuidAt()}.#`);
    closing.push(() => elsewhere.close());
    relay(broker, true);
    await vi.waitFor(async () => expect((await readLogHead(pool)).exchanged).toBe(0), within);

    const ingester = new Ingester(pool, broker, { ...loadConfig({}), ingestWindowMs: 1 }, silentLog);
    const start = Date.UTC(2026, 0, 31);
    const deliver = (meter: string, minute: number) =>
      ingester.handle({
        body: Buffer.from(
          JSON.stringify({
            meter_device: meter,
            series: '2:300',
            timestamp: new Date(start + minute * 60_000).toISOString(),
            value: `${minute}.50`,
            unit: 'm3',
            status: 2,
          }),
        ),
        redelivered: false,
        messageId: undefined,
        publishedAt: undefined,
        headers: {},
      });
    const published = Array.from({ length: 200 }, (_, minute) => meters.map((meter) => deliver(meter, minute))).flat();
    await Promise.all([...published, deliver(meters[0]!, 0)]);
    await ingester.stop();

    const messages = () => queue.messages.map(({ body }) => JSON.parse(body) as CommittedReadingsMessage);
    await vi.waitFor(() => expect(messages().flatMap(({ readings }) => readings)).toHaveLength(400), within);
    for (const meter of meters) {
      const own = messages().filter(({ meter_device }) => meter_device === meter);
      expect(own.flatMap(({ readings }) => readings.map(({ value }) => value))).toEqual(
        Array.from({ length: 200 }, (_, minute) => `${minute}.50`),
      );
    }
    const [first] = messages();
    expect(first).toMatchObject({ version: 1, organization: DEFAULT_ORGANIZATION_ID, origin: 'push', position: 1 });
    expect(first!.readings[0]).toEqual({
      series: '2:300',
      timestamp: '2026-01-31T00:00:00.000Z',
      value: '0.50',
      unit: 'm3',
      status: 2,
      quality: ['CLOCK_NOT_SET'],
      revised: false,
      late: false,
    });
    expect(first!.message_id).toBe(uuidOf(first!.meter_device, '1.0'));
    expect(queue.messages[0]).toMatchObject({
      routingKey: `${DEFAULT_ORGANIZATION_ID}.${first!.meter_device}`,
      messageId: first!.message_id,
      persistent: true,
    });
    expect(elsewhere.messages).toEqual([]);
  });
});
