import { connect } from 'amqplib';
import { pause } from '../src/retry.js';
import { own } from '../src/scratch/owned.js';
import { atPace } from './pace.js';
import type { ScratchQueues } from '../src/scratch/scratch.js';

const DEADLINE_MS = 30_000;

/**
 * Milliseconds from a publish to the consumer, for messages at an even pace through a quorum queue with confirms and
 * acknowledgements, with nothing between the two: what the broker alone takes.
 */
export async function bareRoundTrip(
  { amqpUrl, queuePrefix }: ScratchQueues,
  perSecond: number,
  bodies: readonly Buffer[],
): Promise<Float64Array> {
  const queue = `${queuePrefix}bare`;
  const connection = await connect(amqpUrl);
  const remove = own(async () => {
    const another = await connect(amqpUrl);
    await (await another.createChannel()).deleteQueue(queue);
    await another.close();
  });
  try {
    const publisher = await connection.createConfirmChannel();
    const consumer = await connection.createChannel();
    await publisher.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await consumer.prefetch(1_000);
    const sentAt = new Float64Array(bodies.length);
    const took = new Float64Array(bodies.length);
    let left = bodies.length;
    const over = new AbortController();
    await consumer.consume(queue, (message) => {
      if (!message) return over.abort(new Error('the queue of the bare round trip is gone'));
      const index = Number(message.properties.messageId);
      took[index] = performance.now() - sentAt[index]!;
      consumer.ack(message);
      if (--left === 0) over.abort();
    });
    await atPace(perSecond, bodies.length, (index) => {
      sentAt[index] = performance.now();
      publisher.publish('', queue, bodies[index]!, { persistent: true, messageId: String(index) });
    });
    await pause(DEADLINE_MS, over.signal);
    if (left > 0)
      throw over.signal.aborted
        ? over.signal.reason
        : new Error(`${left} messages of the bare round trip did not come`);
    await publisher.waitForConfirms();
    return took;
  } finally {
    await connection.close();
    await remove();
  }
}
