import type { Worker, WorkerContext } from '../src/lifecycle.js';
import type { Broker } from '../src/messaging/broker.js';
import { createCollection } from '../src/services/collection.js';
import { useBroker } from '../src/resources.js';

export interface PollerOptions {
  queues: readonly ('amr.scheduled' | 'amr.on_demand')[];
  /** Sessions open at once, per queue; so a full schedule never holds up what somebody waits for. */
  sessions: number;
}

/** Sessions get this long to end by themselves at a stop; then they are ended and sent again by the scheduler. */
const GRACE_MS = 20_000;

/** `amr poller`: carries out meter sessions. Needs the broker, and the private key where meters have credentials; no database. */
export const poller =
  (options: PollerOptions): Worker =>
  async (context) =>
    startPoller(context, await useBroker(context), options);

export async function startPoller(
  { config, log, onStop }: WorkerContext,
  broker: Broker,
  { queues, sessions }: PollerOptions,
): Promise<string> {
  const collection = createCollection(broker, config, log);
  const consumers = await Promise.all(
    queues.map((queue) => broker.consume(queue, collection.run, { prefetch: sessions })),
  );
  onStop(async () => {
    const grace = setTimeout(() => collection.abort(), GRACE_MS);
    // All at once: a queue drained later would begin new sessions meanwhile.
    await Promise.all(consumers.map((consumer) => consumer.drain()));
    clearTimeout(grace);
  });
  return `${sessions} sessions on ${queues.join(' and ')} of ${broker.description}`;
}
