import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { loadConfig } from '../../src/config.js';
import {
  CancelTaskRunDocument,
  InvokeTaskDocument,
  TaskRunDocument,
  WorkersDocument,
  type CancelTaskRunMutation,
  type InvokeTaskMutation,
  type TaskRunQuery,
  type WorkersQuery,
} from '../../src/graphql/generated/graphql.js';
import type { WorkerContext } from '../../src/lifecycle.js';
import { ACK } from '../../src/messaging/broker.js';
import type { NewMeterReadingMessage } from '../../src/messaging/contracts.js';
import { startFleet, type Fleet } from '../../src/simulators/fleet.js';
import { startPoller } from '../../workers/poller.js';
import { startScheduler } from '../../workers/scheduler.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { silentLog, testBrokers, type TestBrokers } from '../support/broker.js';
import { insertInterface, insertMeter } from '../support/rows.js';

const DAY_MS = 86_400_000;
const amqpUrl = inject('amqpUrl');
const BROKERS: [name: string, url: string | undefined][] = [
  ['in-process broker', 'memory:'],
  [amqpUrl ? 'RabbitMQ' : 'RabbitMQ (does not run: none answers, set AMQP_URL)', amqpUrl],
];

describe.each(BROKERS)('a slow archive read over the %s', (_name, url) => {
  describe.skipIf(url === undefined)('that is cancelled', () => {
    let brokers: TestBrokers;
    let open: TestBrokers['open'];
    let api: TestApi;
    let fleet: Fleet;
    let meter: string;
    /** Messages that reached the meter. */
    let questions: number;
    let readings: number;
    let stops: (() => Promise<void> | void)[];

    beforeEach(async () => {
      brokers = testBrokers(url!);
      // In memory all parts share one broker, elsewhere each has a connection of its own.
      const first = await brokers.open();
      open = async () => (url === 'memory:' ? first : brokers.open());
      api = await createTestApi(first);
      questions = 0;
      const now = () => (questions++, Date.now());
      const faults = { 0: { kind: 'delay', ms: 150 } } as const;
      fleet = await startFleet({ meters: 1, now, installedAt: Date.now() - 60 * DAY_MS, faults });
      questions = 0;
      const { pool } = api.database;
      const line = await insertInterface(pool, 'line', { port: fleet.meters[0]!.port });
      meter = await insertMeter(pool, 'slow', { network_interface_id: line });
      stops = [];
      readings = 0;
      const ingester = await first.consume(
        'readings.new',
        async ({ body }) => {
          readings += (JSON.parse(body.toString()) as NewMeterReadingMessage).readings.length;
          return ACK;
        },
        { prefetch: 10 },
      );
      stops.push(() => ingester.drain());
      await startScheduler(context(stops), { broker: await open(), database: api.database });
    });
    afterEach(async () => {
      await stop(stops);
      await fleet.stop();
      await api.drop();
      await brokers.dispose();
    });

    const context = (hooks: (() => Promise<void> | void)[]): WorkerContext => ({
      config: loadConfig({ AMR_START_BY_SECONDS: '60', AMR_SESSION_CAP_SECONDS: '60' }),
      log: silentLog,
      onStop: (hook) => void hooks.push(hook),
      ready: () => undefined,
      readiness: async () => ({ ok: true, parts: {} }),
      fail: (error) => {
        throw error;
      },
    });
    const stop = async (hooks: (() => Promise<void> | void)[]) => {
      for (const hook of hooks.splice(0).reverse()) await hook();
    };
    /** Starts a poller; returns its stop. */
    const poll = async () => {
      const hooks: typeof stops = [];
      stops.push(() => stop(hooks));
      await startPoller(context(hooks), await open(), { queues: ['amr.scheduled', 'amr.on_demand'], sessions: 5 });
      return () => stop(hooks);
    };
    const invoke = async (taskCall: string, taskKwargs: Record<string, unknown>) => {
      const input = { meterDevice: meter, meterExecutionType: 'generic_lis200', taskCall, taskKwargs };
      return (await api.run<InvokeTaskMutation>(String(InvokeTaskDocument), { input })).invokeTask.taskRun.id;
    };
    const run = async (id: string) => (await api.run<TaskRunQuery>(String(TaskRunDocument), { id })).taskRun!;
    const cancel = async (id: string) =>
      (await api.run<CancelTaskRunMutation>(String(CancelTaskRunDocument), { id })).cancelTaskRun.taskRun;
    const reaches = (id: string, state: string) =>
      vi.waitFor(async () => expect((await run(id)).state).toBe(state), { timeout: 20_000, interval: 20 });
    const archive = () => invoke('read_archive_by_offset_seconds', { offset_seconds: 50 * 86_400 });

    it('in its middle ends at once and keeps what was read, and the meter is free', { timeout: 60_000 }, async () => {
      const stopPoller = await poll();
      const id = await archive();
      await vi.waitFor(() => expect(questions).toBeGreaterThan(14), { timeout: 20_000, interval: 5 });
      await reaches(id, 'RUNNING');
      expect(await cancel(id)).toMatchObject({ state: 'RUNNING', cancelRequestedAt: expect.any(String) as string });
      await reaches(id, 'CANCELLED');
      const cancelled = await run(id);
      expect(cancelled).toMatchObject({
        errorCode: 'CANCELLED',
        errorMessage: 'read archive 3: the run was cancelled during its session',
      });
      expect(cancelled.readingCount).toBeGreaterThan(0);
      expect(readings).toBe(cancelled.readingCount);

      const next = await invoke('read_single_value', { address: '2:300' });
      await reaches(next, 'SUCCEEDED');
      expect(fleet.counters.overlaps).toBe(0);

      const states = async () =>
        (await api.run<WorkersQuery>(String(WorkersDocument))).workers.map(({ state, maxSessions }) => [
          state,
          maxSessions,
        ]);
      expect(await states()).toEqual([['ACTIVE', 10]]);
      await stopPoller();
      await vi.waitFor(async () => expect(await states()).toEqual([['STOPPED', 10]]), { timeout: 10_000 });
    });

    it('while no poller listens ends as soon as one is told again', { timeout: 60_000 }, async () => {
      const id = await archive();
      await reaches(id, 'DISPATCHED');
      expect(await cancel(id)).toMatchObject({ state: 'DISPATCHED' });
      await poll();
      await reaches(id, 'CANCELLED');
      expect((await run(id)).errorMessage).toContain('the run was cancelled');
    });
  });
});
