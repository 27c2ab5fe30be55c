import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WorkersDocument, type WorkersQuery } from '../../src/graphql/generated/graphql.js';
import { ACK, type Broker } from '../../src/messaging/broker.js';
import { encode, type ResultMessage } from '../../src/messaging/contracts.js';
import { ResultsBook } from '../../src/services/results.js';
import { countSilentWorkersWhileLeading, forgetGoneWorkers } from '../../src/services/worker-registry.js';
import { metrics } from '../../src/telemetry.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { silentLog, testBrokers } from '../support/broker.js';

type Heartbeat = Extract<ResultMessage, { type: 'heartbeat' }>;

describe('workers', () => {
  const brokers = testBrokers('memory:');
  let broker: Broker;
  let api: TestApi;

  beforeAll(async () => {
    broker = await brokers.open();
    api = await createTestApi(broker);
  });
  afterAll(async () => {
    await api?.drop();
    await brokers.dispose();
  });
  beforeEach(() => api.database.pool.query('truncate worker'));

  const beat = async (changes: Partial<Heartbeat> = {}, publishedAt?: number): Promise<string> => {
    const message: Heartbeat = {
      ...{ type: 'heartbeat', worker: randomUUID(), kind: 'poller', host: 'north', pid: 4711, version: '1.2.3' },
      ...{ queues: ['amr.scheduled', 'amr.on_demand'], max_sessions: 400, open_sessions: 0, ...changes },
    };
    const { signal } = new AbortController();
    const book = new ResultsBook(api.database.pool, broker, { sessionCapMs: 1 }, silentLog, signal);
    const delivery = { redelivered: false, messageId: undefined, publishedAt, headers: {} };
    expect(await book.handle({ body: encode(message), ...delivery })).toEqual(ACK);
    return message.worker;
  };
  const workers = async () => (await api.run<WorkersQuery>(String(WorkersDocument))).workers;
  const states = async () => (await workers()).map(({ state }) => state);
  const seen = (worker: string, ago: string) =>
    api.database.pool.query('update worker set last_seen_at = now() - $2::interval where id = $1', [worker, ago]);

  it('are not known from a report that waited while no scheduler ran', async () => {
    await beat({}, Date.now() - 60_000);
    expect(await workers()).toEqual([]);
    await beat({}, Date.now() - 1_000);
    expect(await states()).toEqual(['ACTIVE']);
  });

  it('are known from their first report, and keep its time', async () => {
    const worker = await beat();
    const [first] = await workers();
    expect(first).toEqual({
      ...{ id: worker, kind: 'poller', host: 'north', pid: 4711, version: '1.2.3', state: 'ACTIVE' },
      ...{ queues: ['amr.scheduled', 'amr.on_demand'], maxSessions: 400, openSessions: 0 },
      startedAt: first!.lastSeenAt,
      lastSeenAt: expect.any(String) as string,
    });
    await seen(worker, '1 second');
    await beat({ worker, open_sessions: 12 });
    const [second, ...others] = await workers();
    expect(others).toEqual([]);
    expect(second).toMatchObject({ id: worker, openSessions: 12, startedAt: first!.startedAt });
    expect(Date.parse(second!.lastSeenAt)).toBeGreaterThanOrEqual(Date.parse(first!.lastSeenAt));
  });

  it('are silent when not heard of for 35 seconds, until they are heard of again', async () => {
    const worker = await beat();
    await seen(worker, '34 seconds');
    expect(await states()).toEqual(['ACTIVE']);
    await seen(worker, '36 seconds');
    expect(await states()).toEqual(['SILENT']);
    await beat({ worker });
    expect(await states()).toEqual(['ACTIVE']);
  });

  it('stay stopped once they have said so, though an older report comes late', async () => {
    const worker = await beat({ stopped: true });
    expect(await states()).toEqual(['STOPPED']);
    await beat({ worker });
    expect(await states()).toEqual(['STOPPED']);
    await seen(worker, '1 hour');
    expect(await states()).toEqual(['STOPPED']);
  });

  it('that work are listed first', async () => {
    await beat({ stopped: true });
    await seen(await beat(), '1 minute');
    await beat();
    expect(await states()).toEqual(['ACTIVE', 'SILENT', 'STOPPED']);
  });

  it('are forgotten a day after they were last heard of', async () => {
    for (const stopped of [true, undefined]) await seen(await beat({ stopped }), '25 hours');
    for (const stopped of [true, undefined]) await seen(await beat({ stopped }), '23 hours');
    await forgetGoneWorkers(api.database.pool);
    expect(await states()).toEqual(['SILENT', 'STOPPED']);
  });

  it('that are silent are a metric of the process that leads', async () => {
    const gauge = async () =>
      (await metrics.getSingleMetric('amr_silent_workers')!.get()).values.map(({ value }) => value);
    await seen(await beat(), '1 minute');
    await beat();
    await beat({ stopped: true });
    const leading = new AbortController();
    const counting = countSilentWorkersWhileLeading(api.database.pool, leading.signal);
    await expect.poll(gauge).toEqual([1]);
    leading.abort();
    await counting;
    expect(await gauge()).toEqual([0]);
  });
});
