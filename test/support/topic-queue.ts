import { connect } from 'amqplib';
import type { Broker } from '../../src/messaging/broker.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import type { TopicName } from '../../src/messaging/topology.js';

/** What another program gets that has bound a queue of its own to a topic exchange. */
export interface TopicQueue {
  /** In the order of their arrival. */
  readonly messages: { routingKey?: string; messageId?: string; persistent?: boolean; body: string }[];
  bind(pattern: string): Promise<void>;
  close(): Promise<void>;
}

/** Binds as an integrator does: with a client and a connection of its own, or inside the process with `memory:`. */
export async function openTopicQueue(
  broker: Broker,
  { amqpUrl, queuePrefix }: { amqpUrl: string; queuePrefix: string },
  topic: TopicName,
  ...patterns: string[]
): Promise<TopicQueue> {
  const messages: TopicQueue['messages'] = [];
  const open = broker instanceof MemoryBroker ? openInMemory(broker, topic, messages) : openOnRabbitMq();
  const queue = await open;
  for (const pattern of patterns) await queue.bind(pattern);
  return queue;

  async function openOnRabbitMq(): Promise<TopicQueue> {
    const connection = await connect(amqpUrl);
    const channel = await connection.createChannel();
    const name = (await channel.assertQueue('', { exclusive: true })).queue;
    await channel.consume(
      name,
      (message) => {
        if (!message) return;
        const { properties, fields, content } = message;
        messages.push({
          routingKey: fields.routingKey,
          messageId: properties.messageId as string,
          persistent: properties.deliveryMode === 2,
          body: content.toString(),
        });
      },
      { noAck: true },
    );
    return {
      messages,
      bind: async (pattern) => void (await channel.bindQueue(name, queuePrefix + topic, pattern)),
      close: () => connection.close(),
    };
  }
}

async function openInMemory(broker: MemoryBroker, topic: TopicName, messages: TopicQueue['messages']) {
  const bound: { drain(): Promise<void> }[] = [];
  return {
    messages,
    bind: async (pattern: string) => {
      bound.push(await broker.bind(topic, pattern, (body) => messages.push({ body: body.toString() })));
    },
    close: async () => {
      for (const consumer of bound) await consumer.drain();
    },
  };
}
