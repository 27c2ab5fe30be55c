import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  IngestionDocument,
  WorkersDocument,
  type IngestionQuery,
  type WorkersQuery,
} from '../../src/graphql/generated/graphql.js';
import type { Broker } from '../../src/messaging/broker.js';
import { Ingester } from '../../src/services/ingest/ingester.js';
import { startStatusReports } from '../../src/services/ingest/status.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { silentLog, testBrokers } from '../support/broker.js';
import { ingestSettings } from '../support/ingest.js';
import { insertMeter } from '../support/rows.js';

describe('the ingestion graph in the API', () => {
  const brokers = testBrokers('memory:');
  let broker: Broker;
  let api: TestApi;
  let meter: string;
  beforeAll(async () => {
    broker = await brokers.open();
    api = await createTestApi(broker);
    meter = await insertMeter(api.database.pool, 'observed');
  });
  afterAll(async () => {
    await api?.drop();
    await brokers.dispose();
  });
  beforeEach(() => api.database.pool.query('truncate worker, dead_letter, reading_log, meter_reading cascade'));

  const ingestion = async () => (await api.run<IngestionQuery>(String(IngestionDocument))).ingestion;
  const start = (isWorking = true, changes = {}) => {
    const ingester = new Ingester(
      api.database.pool,
      broker,
      ingestSettings({ ingestWindowMs: 1, ...changes }),
      silentLog,
    );
    const stopReports = startStatusReports(api.database.pool, broker, () => ({ ingester, isWorking }), silentLog, 20);
    return { ingester, stopReports };
  };
  const offer = (ingester: Ingester, readings: unknown[]) =>
    ingester.handle({
      body: Buffer.from(JSON.stringify({ meter_device: meter, readings })),
      ...{ redelivered: false, messageId: undefined, publishedAt: undefined, headers: {} },
    });
  const reading = (hour: number, value: unknown = '1') => ({
    series: 's',
    timestamp: `2026-03-01T0${hour}:00:00Z`,
    value,
  });

  it('knows nothing while no ingester reports', async () => {
    expect(await ingestion()).toEqual({
      ...{
        backlog: null,
        deadLetterBacklog: 0,
        strategy: null,
        readingsPerSecond: 0,
        slowestStep: null,
        lastError: null,
      },
      ...{ relayLagSeconds: 0, relayLagBatches: '0', ingesters: [] },
    });
  });

  it('shows what a real ingester has done, then that it stopped', async () => {
    const { ingester, stopReports } = start();
    await offer(ingester, [reading(1), reading(2), reading(3, 'wrong')]);
    await vi.waitFor(async () => expect((await ingestion()).ingesters[0]?.steps[3]?.readings).toBe('2'));
    const { ingesters, ...graph } = await ingestion();
    expect(graph).toMatchObject({
      backlog: '0',
      deadLetterBacklog: 1,
      strategy: 'HYBRID',
      lastError: null,
      relayLagBatches: '1',
    });
    expect(graph.slowestStep).not.toBeNull();
    expect(graph.relayLagSeconds).toBeGreaterThan(0);
    expect(ingesters).toHaveLength(1);
    expect(ingesters[0]).toMatchObject({ pid: process.pid, state: 'ACTIVE', isWorking: true, strategy: 'HYBRID' });
    expect(
      ingesters[0]!.steps.map(({ step, batches, readings, errors, inFlight }) => [
        step,
        batches,
        readings,
        errors,
        inFlight,
      ]),
    ).toEqual([
      ['VALIDATE', '1', '3', '0', 0],
      ['ENRICH', '1', '2', '0', 0],
      ['STORE', '1', '2', '0', 0],
      ['DISPATCH', '1', '2', '0', 0],
    ]);
    expect(ingesters[0]!.steps.reduce((sum, { shareOfTime }) => sum + shareOfTime!, 0)).toBeCloseTo(1);
    for (const { p50Ms, p95Ms, totalMs } of ingesters[0]!.steps)
      expect(p50Ms! <= p95Ms! && p95Ms! <= totalMs).toBe(true);

    await ingester.stop();
    await stopReports();
    const stopped = await ingestion();
    expect(stopped).toMatchObject({ backlog: null, strategy: null, readingsPerSecond: 0, slowestStep: null });
    expect(stopped.ingesters[0]).toMatchObject({ state: 'STOPPED', isWorking: false, readingsPerSecond: 0 });
    const { workers } = await api.run<WorkersQuery>(String(WorkersDocument));
    expect(workers).toMatchObject([{ id: stopped.ingesters[0]!.id, kind: 'ingester', state: 'STOPPED' }]);
  });

  it('shows the error of a step, and where it was', async () => {
    const { ingester, stopReports } = start();
    ingester.graph.store.begin().failed(new Error('the disk is full'));
    await vi.waitFor(async () =>
      expect((await ingestion()).lastError).toMatchObject({ step: 'STORE', message: 'the disk is full' }),
    );
    const { lastError, ingesters } = await ingestion();
    expect(lastError!.ingester).toBe(ingesters[0]!.id);
    expect(ingesters[0]!.steps[2]).toMatchObject({ errors: '1', batches: '0', p50Ms: null, shareOfTime: null });
    await ingester.stop();
    await stopReports();
  });

  it('shows that one went silent, and none of its figures as current', async () => {
    const { ingester, stopReports } = start();
    await offer(ingester, [reading(4)]);
    await ingester.stop();
    await stopReports();
    await api.database.pool.query(`update worker set stopped_at = null, last_seen_at = now() - interval '36 seconds'`);
    const { ingesters, readingsPerSecond, slowestStep } = await ingestion();
    expect(ingesters[0]).toMatchObject({ state: 'SILENT', isWorking: false });
    expect({ readingsPerSecond, slowestStep }).toEqual({ readingsPerSecond: 0, slowestStep: null });
  });

  it('shows an elected ingester that does not lead as one that stands by', async () => {
    const { ingester, stopReports } = start(false, { ingestStrategy: 'sequential' });
    await vi.waitFor(async () => expect((await ingestion()).ingesters).toHaveLength(1));
    const { ingesters, strategy, slowestStep } = await ingestion();
    expect({ strategy, slowestStep }).toEqual({ strategy: 'SEQUENTIAL', slowestStep: null });
    expect(ingesters[0]).toMatchObject({ state: 'ACTIVE', isWorking: false, readingsPerSecond: 0 });
    for (const { batches, p50Ms } of ingesters[0]!.steps)
      expect({ batches, p50Ms }).toEqual({ batches: '0', p50Ms: null });
    await ingester.stop();
    await stopReports();
  });
});
