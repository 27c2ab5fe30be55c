import type { Channel, ChannelModel } from 'amqplib';
import { StartupError, messageOf } from '../errors.js';
import { deadQueueOf } from './dead-letters.js';
import { DEAD_QUEUES, EXCHANGES, TOPICS, WORK_QUEUES, workQueueArguments, type QueueName } from './topology.js';

const PRECONDITION_FAILED = 406; // AMQP 0-9-1, 1.2 "Reply codes"

/** RabbitMQ 4 drops a message after 20 deliveries where there is no dead-letter exchange, and -1 (no limit) is unknown to 3.x. */
const NEVER = 2_000_000_000;

/** A queue or exchange of ours exists on the broker in another form; it is neither used nor changed. */
export class TopologyMismatchError extends StartupError {
  readonly code = 'TOPOLOGY_MISMATCH';
}

/** Declares every queue and exchange. Throws `TopologyMismatchError` when one exists with other arguments. */
export async function assertTopology(model: ChannelModel, prefix: string): Promise<void> {
  const channel = await model.createChannel();
  channel.on('error', () => undefined); // the call that fails rejects with the same error
  for (const queue of [...DEAD_QUEUES, ...WORK_QUEUES]) await assertQueue(channel, prefix, queue);
  for (const exchange of EXCHANGES) {
    const name = prefix + exchange;
    await channel.assertExchange(name, 'fanout', { durable: true }).catch((error: unknown) => {
      throw explain(error, 'Exchange', name, `delete it (rabbitmqadmin delete exchange name=${name})`);
    });
  }
  await assertTopics(channel, prefix);
  await channel.close();
}

/** Declares the exchanges of other programs, as `assertTopology` does. */
export async function assertTopics(channel: Channel, prefix: string): Promise<void> {
  for (const topic of TOPICS) {
    const name = prefix + topic;
    await channel.assertExchange(name, 'topic', { durable: true }).catch((error: unknown) => {
      throw explain(
        error,
        'Exchange',
        name,
        `delete it (rabbitmqadmin delete exchange name=${name}), bind to it again`,
      );
    });
  }
}

/** Declares one queue, as `assertTopology` does. */
export async function assertQueue(channel: Channel, prefix: string, queue: QueueName): Promise<void> {
  const name = prefix + queue;
  const dead = deadQueueOf(queue);
  const args = dead
    ? workQueueArguments(prefix + dead)
    : { 'x-queue-type': 'quorum', 'x-overflow': 'reject-publish', 'x-delivery-limit': NEVER };
  await channel.assertQueue(name, { durable: true, arguments: args }).catch((error: unknown) => {
    throw explain(error, 'Queue', name, `drain it, delete it (rabbitmqctl delete_queue ${name})`);
  });
}

function explain(error: unknown, kind: string, name: string, migration: string): unknown {
  if ((error as { code?: unknown }).code !== PRECONDITION_FAILED) return error;
  return new TopologyMismatchError(
    `${kind} ${name} exists on the broker with other arguments than this version uses: ${messageOf(error)}. ` +
      `Stop what uses it, ${migration} and start again; or choose another AMR_QUEUE_PREFIX.`,
    { cause: error },
  );
}
