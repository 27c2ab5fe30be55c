import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { watchLoss } from '../../src/services/loss-alarm.js';
import { watchObjectives } from '../../src/services/objective-watch.js';
import { LatencyObjectives } from '../../src/services/objectives.js';
import { metrics } from '../../src/telemetry.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { silentLog, testBrokers } from '../support/broker.js';
import { insertTask } from '../support/rows.js';

const FIELDS = `kind target maxLatencyMs state compliance1h compliance6h compliance30d
  burnRate5m burnRate30m burnRate1h burnRate6h`;
const OBJECTIVES = `{ serviceObjectives { ${FIELDS} } }`;
const SET = `mutation ($input: SetServiceObjectiveInput!) { setServiceObjective(input: $input) { serviceObjective { ${FIELDS} } } }`;
const ALERTS = '{ alerts(open: true) { nodes { kind subject severity details } } }';

type Objective = Record<string, unknown> & { kind: string };

describe('service objectives', () => {
  const brokers = testBrokers('memory:');
  let api: TestApi;
  beforeAll(async () => {
    api = await createTestApi(await brokers.open());
  });
  afterAll(async () => {
    await api?.drop();
    await brokers.dispose();
  });
  beforeEach(() => api.database.pool.query('truncate loss_minute, alert, service_objective, amr_task cascade'));

  const objectives = async (organization?: string) =>
    (await api.run<{ serviceObjectives: Objective[] }>(OBJECTIVES, {}, organization)).serviceObjectives;
  const objective = async (kind: string) => (await objectives()).find((one) => one.kind === kind)!;
  const alerts = async () => (await api.run<{ alerts: { nodes: unknown[] } }>(ALERTS)).alerts.nodes;
  const watch = () => watchObjectives(api.database.pool, silentLog);
  const set = (input: object) => api.run(SET, { input });
  const refusal = (input: object) => api.failure(SET, { input });

  /** Readings published `ago`, so many of them stored in time. */
  const publish = (ago: string, onTime: number, timed: number, organization = DEFAULT_ORGANIZATION_ID) =>
    api.database.pool.query(
      `insert into loss_minute (organization_id, minute, publisher, published, stored, closed, reported_at, on_time, timed)
       values ($1, date_trunc('minute', now() - $2::interval), $3, $5, $5, true, now(), $4, $5)`,
      [organization, ago, uuidAt(), onTime, timed],
    );
  /** A slot whose runs had all ended `ago`. */
  const settle = async (ago: string, counts: { succeeded: number; failed?: number; cancelled?: number }) => {
    const task = await insertTask(api.database.pool, uuidAt());
    await api.database.pool.query(
      `insert into task_slot (amr_task_id, scheduled_for, run_count, settled_at, succeeded_count, failed_count, cancelled_count)
       values ($1, now() - interval '1 day', 100, now() - $2::interval, $3, $4, $5)`,
      [task, ago, counts.succeeded, counts.failed ?? 0, counts.cancelled ?? 0],
    );
  };

  it('have defaults, and no data where nothing happened', async () => {
    const nothing = { state: 'NO_DATA', compliance1h: null, compliance6h: null, compliance30d: null, burnRate1h: null };
    expect(await objectives()).toMatchObject([
      { kind: 'LATENCY', target: '0.99', maxLatencyMs: 60_000, ...nothing },
      { kind: 'COMPLETENESS', target: '0.98', maxLatencyMs: null, ...nothing },
      { kind: 'LOSS', target: '1', maxLatencyMs: null, ...nothing },
    ]);
  });

  it('are set, kept by organization, and refused where they make no sense', async () => {
    const other = uuidAt();
    await api.database.pool.query(`insert into organization (id, name) values ($1, $2)`, [other, other]);
    await set({ kind: 'LATENCY', target: '0.95', maxLatencyMs: 5_000 });
    await set({ kind: 'LATENCY', target: '.90' });
    expect(await objective('LATENCY')).toMatchObject({ target: '0.9', maxLatencyMs: 5_000 });
    expect((await objectives(other))[0]).toMatchObject({ target: '0.99', maxLatencyMs: 60_000 });
    const target = { code: 'BAD_USER_INPUT', field: 'input.target' };
    for (const wrong of ['0', '0.0', '1', '1.5', '-0.5', '0.9999999'])
      expect(await refusal({ kind: 'LATENCY', target: wrong })).toMatchObject(target);
    expect(await refusal({ kind: 'LOSS', target: '0.99' })).toMatchObject(target);
    await set({ kind: 'LOSS', target: '1.0' });
    const latency = { field: 'input.maxLatencyMs' };
    expect(await refusal({ kind: 'COMPLETENESS', target: '0.9', maxLatencyMs: 1 })).toMatchObject(latency);
    expect(await refusal({ kind: 'LATENCY', target: '0.9', maxLatencyMs: 0 })).toMatchObject(latency);
  });

  it('count readings in the windows they were published in', async () => {
    await publish('1 minute', 99, 100);
    await publish('20 minutes', 95, 100);
    await publish('3 hours', 100, 200);
    await publish('20 days', 600, 600);
    const { compliance1h, compliance6h, compliance30d, ...rates } = await objective('LATENCY');
    expect(compliance1h).toBeCloseTo(194 / 200);
    expect(compliance6h).toBeCloseTo(294 / 400);
    expect(compliance30d).toBeCloseTo(894 / 1000);
    expect(rates['burnRate5m']).toBeCloseTo(1);
    expect(rates['burnRate30m']).toBeCloseTo(3);
    expect(rates['burnRate1h']).toBeCloseTo(3);
    expect(rates['burnRate6h']).toBeCloseTo(26.5);
    expect(rates['state']).toBe('OK');
  });

  it('open a critical alert when latency burns fast, for that organization alone, and resolve it when it is calm', async () => {
    const other = uuidAt();
    await api.database.pool.query(`insert into organization (id, name) values ($1, $2)`, [other, other]);
    await publish('1 minute', 100, 100, other);
    await publish('1 minute', 50, 100);
    await watch();
    expect(await objective('LATENCY')).toMatchObject({ state: 'CRITICAL' });
    expect(await alerts()).toMatchObject([{ kind: 'LATENCY', severity: 'CRITICAL', details: { target: '0.99' } }]);
    expect((await api.database.pool.query('select from alert')).rowCount).toBe(1);
    const { values } = await metrics.getSingleMetric('amr_objective_burn_rate')!.get();
    expect(values).toContainEqual({
      labels: { objective: 'latency', window: '1_hour' },
      value: expect.closeTo(50) as number,
    });
    await publish('1 minute', 10_000, 10_000);
    await watch();
    expect(await alerts()).toEqual([]);
    expect(await objective('LATENCY')).toMatchObject({ state: 'OK' });
  });

  it('count scheduled runs by when their slot had ended; cancelled ones do not count', async () => {
    await settle('10 minutes', { succeeded: 97, failed: 3, cancelled: 50 });
    expect((await objective('COMPLETENESS'))['compliance1h']).toBeCloseTo(0.97);
    expect((await objective('COMPLETENESS'))['burnRate1h']).toBeCloseTo(1.5);
    await settle('3 hours', { succeeded: 0, failed: 100 });
    await settle('10 minutes', { succeeded: 70, failed: 30 });
    await watch();
    expect(await alerts()).toMatchObject([{ kind: 'COMPLETENESS', severity: 'WARNING' }]);
    expect(await objective('COMPLETENESS')).toMatchObject({ state: 'WARNING' });
  });

  it('are violated by any alert about a loss', async () => {
    await publish('30 minutes', 10, 10);
    expect(await objective('LOSS')).toMatchObject({ state: 'OK', compliance1h: 1, burnRate1h: null });
    await api.database.pool.query('update loss_minute set published = published + 10');
    await watchLoss(api.database.pool, 0, silentLog);
    expect(await objective('LOSS')).toMatchObject({ state: 'CRITICAL', compliance1h: 0.5 });
  });

  it('tell ingesters the latency from memory, and outlive a database that is away', async () => {
    await set({ kind: 'LATENCY', target: '0.95', maxLatencyMs: 5_000 });
    let asked = 0;
    const counting = {
      query: (...parameters: Parameters<typeof api.database.pool.query>) => {
        asked++;
        return api.database.pool.query(...parameters);
      },
    } as typeof api.database.pool;
    const cache = new LatencyObjectives(counting);
    expect(cache.latencyObjectiveMs(DEFAULT_ORGANIZATION_ID)).toBe(60_000);
    await vi.waitFor(() => expect(cache.latencyObjectiveMs(DEFAULT_ORGANIZATION_ID)).toBe(5_000));
    expect(cache.latencyObjectiveMs(uuidAt())).toBe(60_000);
    expect(asked).toBe(1);
    const away = new LatencyObjectives({ query: () => Promise.reject(new Error('away')) } as never);
    await away.refresh();
    expect(away.latencyObjectiveMs(DEFAULT_ORGANIZATION_ID)).toBe(60_000);
  });
});
