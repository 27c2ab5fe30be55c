import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import { pino } from 'pino';
import type { Broker } from '../../src/messaging/broker.js';
import { connectBroker } from '../../src/messaging/connect-broker.js';
import { DEAD_QUEUES, EXCHANGES, TOPICS, WORK_QUEUES } from '../../src/messaging/topology.js';

export const silentLog = pino({ level: 'silent' });

/** Brokers of one test or one test file, with queues of their own. */
export interface TestBrokers {
  readonly config: { readonly amqpUrl: string; readonly queuePrefix: string };
  /** A broker on these queues. In memory each one stands alone: hand it around to share it. */
  open(): Promise<Broker>;
  /** Closes the brokers that were opened and deletes their queues and exchanges. */
  dispose(): Promise<void>;
}

/** `amqpUrl` is `inject('amqpUrl')` for RabbitMQ, or `memory:`. */
export function testBrokers(amqpUrl: string): TestBrokers {
  const config = { amqpUrl, queuePrefix: `test-${randomUUID()}.` };
  const opened: Broker[] = [];
  return {
    config,
    open: async () => {
      const broker = await connectBroker(config, silentLog);
      opened.push(broker);
      return broker;
    },
    dispose: async () => {
      await Promise.all(opened.map((broker) => broker.close()));
      if (!amqpUrl.startsWith('memory:')) await deleteTopology(amqpUrl, config.queuePrefix);
    },
  };
}

async function deleteTopology(amqpUrl: string, prefix: string): Promise<void> {
  const connection = await connect(amqpUrl);
  try {
    const channel = await connection.createChannel();
    for (const queue of [...WORK_QUEUES, ...DEAD_QUEUES]) await channel.deleteQueue(prefix + queue);
    for (const exchange of [...EXCHANGES, ...TOPICS]) await channel.deleteExchange(prefix + exchange);
  } finally {
    await connection.close();
  }
}
