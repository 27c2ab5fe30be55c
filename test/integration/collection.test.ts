import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createKeyPair, seal } from '../../src/credentials.js';
import { NetworkInterfaceKind, ReadingOrigin } from '../../src/domain/enums.js';
import { BEGIN_WITHIN_MS } from '../../src/domain/lease-margin.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { ACK, type Delivery } from '../../src/messaging/broker.js';
import type { NewMeterReadingMessage, PollSessionMessage, ResultMessage } from '../../src/messaging/contracts.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { createCollection, type Collection } from '../../src/services/collection.js';
import { ReadingPublisher } from '../../src/services/reading-publisher.js';
import { startFleet, type Fleet } from '../../src/simulators/fleet.js';
import { silentLog } from '../support/broker.js';

const keys = createKeyPair();

describe('a poll session', () => {
  let fleet: Fleet;
  let broker: MemoryBroker;
  let collection: Collection;
  /** What the poller published, in order. */
  let published: (ResultMessage | NewMeterReadingMessage)[];

  beforeAll(async () => {
    fleet = await startFleet({ meters: 2, faults: { 1: { kind: 'delay', ms: 60_000 } } });
  });
  afterAll(() => fleet.stop());
  beforeEach(async () => {
    broker = new MemoryBroker(silentLog);
    published = [];
    for (const queue of ['readings.new', 'amr.results'] as const) {
      await broker.consume(
        queue,
        async ({ body }) => {
          published.push(JSON.parse(body.toString()) as ResultMessage);
          return ACK;
        },
        { prefetch: 10 },
      );
    }
    const settings = { credentialsPrivateKey: keys.privateKey, replyTimeoutMs: 30_000, connectTimeoutMs: 5_000 };
    collection = createCollection(broker, new ReadingPublisher(broker, silentLog), settings, silentLog);
  });
  afterEach(() => broker.close());

  const session = (meter: number, changes: Partial<PollSessionMessage> = {}): PollSessionMessage => ({
    version: 1,
    session: randomUUID(),
    attempt: 1,
    organization: DEFAULT_ORGANIZATION_ID,
    origin: ReadingOrigin.SCHEDULED,
    meter: { id: randomUUID(), name: 'm', serial_number: fleet.meters[meter]!.serialNumber, time_zone: 'UTC' },
    connection: { kind: NetworkInterfaceKind.TCP, host: '127.0.0.1', port: fleet.meters[meter]!.port },
    calls: ['2:300', '2:302'].map((address) => ({
      run: uuidAt(),
      meter_execution_type: 'generic_lis200',
      task_call: 'read_single_value',
      task_kwargs: { address },
    })),
    start_by_ms: 60_000,
    session_cap_ms: 60_000,
    ...changes,
  });
  const deliver = (message: unknown, changes: Partial<Delivery> = {}) =>
    collection.run({
      body: Buffer.from(JSON.stringify(message)),
      redelivered: false,
      messageId: undefined,
      publishedAt: undefined,
      headers: {},
      ...changes,
    });
  const story = () => published.map((message) => ('type' in message ? message.type : 'readings'));
  const errors = () =>
    published.flatMap((message) => ('type' in message && message.type === 'run_finished' ? [message.error?.code] : []));

  it('tells its start, then the readings of each call before its outcome, then its end', async () => {
    expect(await deliver(session(0))).toEqual({ kind: 'ack' });
    expect(story()).toEqual([
      'session_started',
      'readings',
      'run_finished',
      'readings',
      'run_finished',
      'session_finished',
    ]);
    expect(published[1]).toMatchObject({
      version: 1,
      origin: 'scheduled',
      readings: [{ series: '2:300', unit: 'm3' }],
    });
    expect(published[2]).toMatchObject({ ok: true, reading_count: 1, result: { address: '2:300' } });
    expect(published[5]).toMatchObject({ outcome: 'done', reached: true });
  });

  it('is not run a second time when it comes again, but told as lost', async () => {
    const before = fleet.counters.connections;
    expect(await deliver(session(0), { redelivered: true })).toEqual({ kind: 'ack' });
    expect(published).toEqual([expect.objectContaining({ type: 'session_finished', outcome: 'lost' })]);
    expect(fleet.counters.connections).toBe(before);
  });

  it('does not reach the meter when the broker has taken its delivery back meanwhile', async () => {
    const before = fleet.counters.connections;
    expect(await deliver(session(0), { revoked: () => true })).toEqual({ kind: 'requeue' });
    expect(fleet.counters.connections).toBe(before);
  });

  it.each([
    ['cannot begin in time', 1_000, 1_001],
    ['begins so long after it said so that it could outlive its lease', 60_000, BEGIN_WITHIN_MS + 1],
  ])('does not reach the meter when it %s, but is told as lost', async (_title, start_by_ms, delayMs) => {
    const before = fleet.counters.connections;
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const publish = broker.publish.bind(broker);
      // The confirm of the report that it begins comes so late.
      vi.spyOn(broker, 'publish').mockImplementationOnce((...args) => {
        vi.advanceTimersByTime(delayMs);
        return publish(...args);
      });
      const frozen = deliver(session(0, { start_by_ms }));
      expect(await frozen).toEqual({ kind: 'ack' });
    } finally {
      vi.useRealTimers();
    }
    expect(published).toEqual([
      expect.objectContaining({ type: 'session_started' }),
      expect.objectContaining({ type: 'session_finished', outcome: 'lost' }),
    ]);
    expect(fleet.counters.connections).toBe(before);
  });

  it('tells why the interface was not reached, and nothing of it where no connection was tried', async () => {
    const connection = { kind: NetworkInterfaceKind.TCP, host: '127.0.0.1', port: 1 } as const;
    await deliver(session(0, { connection }));
    expect(published.at(-1)).toMatchObject({
      reached: false,
      unreachable_reason: '127.0.0.1:1 refused the connection',
    });
    await deliver(session(0, { sealed_credentials: 'AAAA' }));
    expect(published.at(-1)).not.toHaveProperty('reached');
  });

  it('has reached the interface also when the meter is silent', async () => {
    await deliver(session(1, { session_cap_ms: 100 }));
    expect(published.at(-1)).toMatchObject({ type: 'session_finished', reached: true });
  });

  it('ends at its cap, and each call that has no outcome says so', async () => {
    await deliver(session(1, { session_cap_ms: 100 }));
    expect(errors()).toEqual(['SESSION_CAP', 'SESSION_CAP']);
  });

  it('ends when the poller stops, and is told as lost, so that it is sent again', async () => {
    const running = deliver(session(1));
    await expect.poll(story).toContain('session_started');
    collection.abort();
    await running;
    expect(errors()).toEqual(['LOST', 'LOST']);
  });

  it.each([
    [
      'CONNECT_REFUSED',
      (message: PollSessionMessage) => ({
        ...message,
        connection: { kind: NetworkInterfaceKind.TCP, host: '127.0.0.1', port: 1 },
      }),
    ],
    ['WRONG_METER', (message: PollSessionMessage) => ({ ...message, meter: { ...message.meter, serial_number: '1' } })],
    [
      'UNSUPPORTED',
      (message: PollSessionMessage) => ({
        ...message,
        calls: message.calls.map((call) => ({ ...call, meter_execution_type: 'smoke_signals' })),
      }),
    ],
    [
      'UNSUPPORTED',
      (message: PollSessionMessage) => ({
        ...message,
        connection: { kind: NetworkInterfaceKind.SERIAL, path: '/dev/ttyS0' },
      }),
    ],
    ['BAD_CREDENTIALS', (message: PollSessionMessage) => ({ ...message, sealed_credentials: 'AAAA' })],
    [
      'BAD_CREDENTIALS',
      (message: PollSessionMessage) => ({
        ...message,
        sealed_credentials: seal(keys.publicKey, 'another meter', { password: 'x' }).toString('base64'),
      }),
    ],
    [
      'BAD_KWARGS',
      (message: PollSessionMessage) => ({
        ...message,
        calls: message.calls.map((call) => ({ ...call, task_kwargs: { addres: '2:300' } })),
      }),
    ],
  ])('that cannot be carried out ends with %s, stores nothing and is acknowledged', async (code, change) => {
    expect(await deliver(change(session(0)))).toEqual({ kind: 'ack' });
    expect(errors()).toEqual([code, code]);
    expect(story()).not.toContain('readings');
    expect(story().at(-1)).toBe('session_finished');
  });

  it.each([
    ['no key', undefined],
    ['another key', createKeyPair().privateKey],
  ])('of a poller with %s says that it could not open the credentials', async (_title, credentialsPrivateKey) => {
    const settings = { credentialsPrivateKey, replyTimeoutMs: 30_000, connectTimeoutMs: 5_000 };
    collection = createCollection(broker, new ReadingPublisher(broker, silentLog), settings, silentLog);
    const message = session(0);
    const sealed = seal(keys.publicKey, message.meter.id, { password: 'x' }).toString('base64');
    await deliver({ ...message, sealed_credentials: sealed });
    expect(published).toContainEqual(
      expect.objectContaining({
        error: expect.objectContaining({ code: 'BAD_CREDENTIALS', phase: 'open credentials' }) as unknown,
      }),
    );
  });

  it('that cannot be read is a dead letter', async () => {
    expect(await deliver({ version: 1, session: 'nonsense' })).toMatchObject({ kind: 'dead-letter' });
    expect(published).toEqual([]);
  });
});
