import type { Config } from '../config.js';
import type { Logger } from '../telemetry.js';
import type { Broker, Consumer, ConsumeOptions, Handler, PublishOptions } from './broker.js';
import { RabbitMqBroadcaster } from './rabbitmq-broadcaster.js';
import { RabbitMqConnection } from './rabbitmq-connection.js';
import { RabbitMqConsumer } from './rabbitmq-consumer.js';
import { RabbitMqListener } from './rabbitmq-listener.js';
import { RabbitMqPublisher } from './rabbitmq-publisher.js';
import { RabbitMqTopicPublisher } from './rabbitmq-topic-publisher.js';
import type { ExchangeName, QueueName, TopicName } from './topology.js';

const CONNECT_PATIENCE_MS = 10_000;
const CLOSE_WAIT_MS = 5000;
const DEPTH_WAIT_MS = 5000;

/** A `Broker` on RabbitMQ 3.10 or newer: one connection, one channel per purpose. */
export class RabbitMqBroker implements Broker {
  private closed = false;

  private constructor(
    private readonly connection: RabbitMqConnection,
    private readonly publisher: RabbitMqPublisher,
    private readonly topicPublisher: RabbitMqTopicPublisher,
    private readonly broadcaster: RabbitMqBroadcaster,
    private readonly log: Logger,
  ) {}

  /** Throws a `StartupError` when there is no usable RabbitMQ within `patienceMs`, or its queues are not ours. */
  static async connect(
    config: Pick<Config, 'amqpUrl' | 'queuePrefix'>,
    log: Logger,
    patienceMs = CONNECT_PATIENCE_MS,
  ): Promise<RabbitMqBroker> {
    const connection = await RabbitMqConnection.open(config, log, patienceMs);
    const publisher = new RabbitMqPublisher(connection, log);
    const topicPublisher = new RabbitMqTopicPublisher(connection, log);
    const broadcaster = new RabbitMqBroadcaster(connection, log);
    await connection.keep(topicPublisher);
    await connection.keep(publisher);
    await connection.keep(broadcaster);
    return new RabbitMqBroker(connection, publisher, topicPublisher, broadcaster, log);
  }

  get description(): string {
    return `RabbitMQ ${this.connection.version} at ${this.connection.address}`;
  }

  get connected(): boolean {
    return this.connection.model !== undefined;
  }

  publish(queue: QueueName, body: Buffer, options: PublishOptions = {}): Promise<void> {
    return this.publisher.publish(queue, body, options);
  }

  publishTo(topic: TopicName, routingKey: string, body: Buffer, options: PublishOptions = {}): Promise<void> {
    return this.topicPublisher.publishTo(topic, routingKey, body, options);
  }

  async consume(queue: QueueName, handler: Handler, options: ConsumeOptions): Promise<Consumer> {
    this.refuseWhenClosed();
    const consumer = new RabbitMqConsumer(this.connection, this.publisher, queue, options, handler, this.log);
    await this.connection.keep(consumer);
    return consumer;
  }

  async broadcast(exchange: ExchangeName, body: Buffer): Promise<void> {
    this.broadcaster.broadcast(exchange, body);
  }

  async listen(exchange: ExchangeName, listener: (body: Buffer) => void, onGap?: () => void): Promise<Consumer> {
    this.refuseWhenClosed();
    const consumer = new RabbitMqListener(this.connection, exchange, listener, onGap, this.log);
    await this.connection.keep(consumer);
    return consumer;
  }

  async depth(queue: QueueName): Promise<number> {
    const { model, queuePrefix } = this.connection;
    if (model === undefined) throw new Error('not connected');
    // Of its own: a channel is closed by the broker where a queue is missing.
    const channel = await within(DEPTH_WAIT_MS, model.createChannel());
    channel.on('error', () => undefined); // the call fails too
    try {
      return (await within(DEPTH_WAIT_MS, channel.checkQueue(queuePrefix + queue))).messageCount;
    } finally {
      channel.close().catch(() => undefined); // closed already
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([this.publisher, this.topicPublisher].map((publisher) => publisher.close(CLOSE_WAIT_MS)));
    await this.connection.close();
  }

  private refuseWhenClosed(): void {
    if (this.closed) throw new Error('The broker is closed: nothing can be consumed.');
  }
}

function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`RabbitMQ did not answer within ${ms / 1000} s`)), ms);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
