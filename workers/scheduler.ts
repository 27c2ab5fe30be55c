import { CronJob } from 'cron';
import { whileLeading } from '../src/db/leader.js';
import { messageOf } from '../src/errors.js';
import type { Worker, WorkerContext } from '../src/lifecycle.js';
import { DEAD_QUEUES } from '../src/messaging/topology.js';
import { pause } from '../src/retry.js';
import { createDeadLetterHandler } from '../src/services/dead-letters.js';
import { dispatchWhileLeading } from '../src/services/dispatch.js';
import { endLeases, expireRuns } from '../src/services/leases.js';
import { createResultsHandler } from '../src/services/results.js';
import { materialiseDueSlots } from '../src/services/slots.js';
import { useBroker, useDatabase, type Resources } from '../src/resources.js';

/** Results booked at once; each is a short transaction. */
const RESULTS_PREFETCH = 20;
const LEASE_CHECK_MS = 1_000;
const STALLED_MS = 30_000;

/** `amr scheduler`: slots, dispatch, leases and results. Any number may run; one leads the dispatch. */
export const scheduler: Worker = async (context) => {
  const broker = await useBroker(context);
  return startScheduler(context, { broker, database: await useDatabase(context, 'scheduler') });
};

export async function startScheduler(
  { config, log, onStop, ready }: WorkerContext,
  { broker, database }: Resources,
): Promise<string> {
  const stopping = new AbortController();
  const { pool, url } = database;

  const results = await broker.consume(
    'amr.results',
    createResultsHandler(pool, broker, config, log, stopping.signal),
    {
      prefetch: RESULTS_PREFETCH,
    },
  );
  onStop(() => results.drain());
  for (const queue of DEAD_QUEUES.filter((name) => name !== 'readings.new.dead')) {
    const dead = await broker.consume(queue, createDeadLetterHandler(pool, queue, log, stopping.signal), {
      prefetch: 10,
    });
    onStop(() => dead.drain());
  }

  onStop(
    whileLeading(url, 'dispatcher', log, async (leadership) => {
      const leases = async () => {
        while (!leadership.signal.aborted) {
          await endLeases(pool, broker);
          await expireRuns(pool, broker);
          await pause(LEASE_CHECK_MS, leadership.signal);
        }
      };
      await Promise.all([dispatchWhileLeading(pool, broker, config, log, leadership), leases()]);
    }),
  );

  let lastTick = performance.now();
  ready('slots', async () => {
    const silentMs = performance.now() - lastTick;
    return silentMs > STALLED_MS ? `slots were last looked at ${Math.round(silentMs / 1000)} s ago` : undefined;
  });
  // Every second, as the slots are due by the database's clock and not by this one; most looks find nothing.
  const ticks = CronJob.from({
    cronTime: '* * * * * *',
    timeZone: 'UTC',
    waitForCompletion: true,
    onTick: async () => {
      try {
        for (const slot of await materialiseDueSlots(pool)) log.info(slot, 'slot materialised');
        lastTick = performance.now();
      } catch (error) {
        log.warn({ err: messageOf(error) }, 'slots could not be materialised; tried again in a second');
      }
    },
    start: true,
  });
  onStop(() => ticks.stop());
  onStop(() => stopping.abort());
  return `on ${broker.description}`;
}
