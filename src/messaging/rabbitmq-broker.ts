import type { Config } from '../config.js';
import type { Logger } from '../telemetry.js';
import type { Broker, Consumer, Handler, PublishOptions } from './broker.js';
import { RabbitMqBroadcaster } from './rabbitmq-broadcaster.js';
import { RabbitMqConnection } from './rabbitmq-connection.js';
import { RabbitMqConsumer } from './rabbitmq-consumer.js';
import { RabbitMqListener } from './rabbitmq-listener.js';
import { RabbitMqPublisher } from './rabbitmq-publisher.js';
import type { ExchangeName, QueueName } from './topology.js';

const CONNECT_PATIENCE_MS = 10_000;
const CLOSE_WAIT_MS = 5000;

/** A `Broker` on RabbitMQ 3.10 or newer: one connection, one channel per purpose. */
export class RabbitMqBroker implements Broker {
  private closed = false;

  private constructor(
    private readonly connection: RabbitMqConnection,
    private readonly publisher: RabbitMqPublisher,
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
    const broadcaster = new RabbitMqBroadcaster(connection, log);
    await connection.keep(publisher);
    await connection.keep(broadcaster);
    return new RabbitMqBroker(connection, publisher, broadcaster, log);
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

  async consume(queue: QueueName, handler: Handler, { prefetch }: { prefetch: number }): Promise<Consumer> {
    this.refuseWhenClosed();
    const consumer = new RabbitMqConsumer(this.connection, this.publisher, queue, prefetch, handler, this.log);
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

  async close(): Promise<void> {
    this.closed = true;
    await this.publisher.close(CLOSE_WAIT_MS);
    await this.connection.close();
  }

  private refuseWhenClosed(): void {
    if (this.closed) throw new Error('The broker is closed: nothing can be consumed.');
  }
}
