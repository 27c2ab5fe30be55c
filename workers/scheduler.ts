import { CronJob } from 'cron';
import { whileLeading } from '../src/db/leader.js';
import { messageOf } from '../src/errors.js';
import type { Worker, WorkerContext } from '../src/lifecycle.js';
import { DEAD_QUEUES } from '../src/messaging/topology.js';
import { pause } from '../src/retry.js';
import { sideBySide } from '../src/side-by-side.js';
import { repeatCancelRequestsWhileLeading } from '../src/services/cancel-requests.js';
import { createDeadLetterHandler } from '../src/services/dead-letters.js';
import { dispatchWhileLeading } from '../src/services/dispatch.js';
import { expireRuns } from '../src/services/expiry.js';
import { endLeases } from '../src/services/leases.js';
import { ResultsBook } from '../src/services/results.js';
import { materialiseDueSlots } from '../src/services/slots.js';
import { countSilentWorkersWhileLeading } from '../src/services/worker-registry.js';
import { useBroker, useDatabase, type Resources } from '../src/resources.js';

/** Results taken at once: more than one batch, so that the next is at hand when one is booked. */
const RESULTS_PREFETCH = 2_000;
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

  const book = new ResultsBook(pool, broker, config, log, stopping.signal);
  const results = await broker.consume('amr.results', book.handle, { prefetch: RESULTS_PREFETCH });
  onStop(() => results.drain());
  for (const queue of DEAD_QUEUES.filter((name) => name !== 'readings.new.dead')) {
    const dead = await broker.consume(queue, createDeadLetterHandler(pool, queue, log, stopping.signal), {
      prefetch: 10,
    });
    onStop(() => dead.drain());
  }

  onStop(
    whileLeading(url, 'dispatcher', log, async (leadership) => {
      const leases = async (signal: AbortSignal) => {
        while (!signal.aborted) {
          await endLeases(pool, broker);
          await expireRuns(pool, broker);
          await pause(LEASE_CHECK_MS, signal);
        }
      };
      const dispatch = (signal: AbortSignal) =>
        dispatchWhileLeading(pool, broker, config, log, { client: leadership.client, signal });
      const cancelRequests = (signal: AbortSignal) => repeatCancelRequestsWhileLeading(pool, broker, signal);
      const silentWorkers = (signal: AbortSignal) => countSilentWorkersWhileLeading(pool, signal);
      await sideBySide(leadership.signal, dispatch, leases, cancelRequests, silentWorkers);
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
        const made = await materialiseDueSlots(pool, ({ task, name, error }) =>
          log.error({ task, name, err: messageOf(error) }, 'a slot could not be materialised; tried again in a second'),
        );
        for (const slot of made) log.info(slot, 'slot materialised');
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
