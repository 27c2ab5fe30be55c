import type { Worker, WorkerContext } from '../src/lifecycle.js';
import type { Broker } from '../src/messaging/broker.js';
import { createCollection } from '../src/services/collection.js';
import { startHeartbeat } from '../src/services/heartbeat.js';
import { ReadingPublisher } from '../src/services/reading-publisher.js';
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
  const publisher = new ReadingPublisher(broker, log);
  // Hooks run last-in, first-out: after the consumers have drained and before the broker closes.
  onStop(() => publisher.stop());
  const collection = createCollection(broker, publisher, config, log);
  // Before the first session: a cancellation that came in between would be missed.
  const control = await broker.listen('amr.control', collection.control);
  onStop(() => control.drain());
  const consumers = await Promise.all(
    queues.map((queue) => broker.consume(queue, collection.run, { prefetch: sessions })),
  );
  const { openSessions } = collection;
  onStop(startHeartbeat(broker, { queues, maxSessions: sessions * queues.length, openSessions }, log));
  onStop(async () => {
    const grace = setTimeout(() => collection.abort(), GRACE_MS);
    // All at once: a queue drained later would begin new sessions meanwhile.
    await Promise.all(consumers.map((consumer) => consumer.drain()));
    clearTimeout(grace);
  });
  return `${sessions} sessions on ${queues.join(' and ')} of ${broker.description}`;
}
