import type { Channel, ChannelModel } from 'amqplib';
import { messageOf } from '../errors.js';
import type { Logger } from '../telemetry.js';
import type { Consumer } from './broker.js';
import { ReopeningChannel } from './rabbitmq-channel.js';
import type { RabbitMqConnection } from './rabbitmq-connection.js';
import { LISTENER_BACKLOG, type ExchangeName } from './topology.js';

const QUEUE = {
  exclusive: true,
  autoDelete: true,
  durable: false,
  arguments: { 'x-max-length': LISTENER_BACKLOG, 'x-overflow': 'drop-head' },
};

/** Listens to one exchange through a queue of its own, which lives as long as its channel. */
export class RabbitMqListener extends ReopeningChannel implements Consumer {
  private attached = false;

  constructor(
    private readonly connection: RabbitMqConnection,
    private readonly exchange: ExchangeName,
    private readonly listener: (body: Buffer) => void,
    private readonly onGap: (() => void) | undefined,
    log: Logger,
  ) {
    super(connection, log);
  }

  async drain(): Promise<void> {
    this.connection.release(this);
    await this.retire();
  }

  protected open(model: ChannelModel): Promise<Channel> {
    return model.createChannel();
  }

  protected async setUp(channel: Channel): Promise<void> {
    const { queue } = await channel.assertQueue('', QUEUE);
    await channel.bindQueue(queue, this.connection.queuePrefix + this.exchange, '');
    const onMessage = (body: Buffer) => this.guard(() => this.listener(body));
    await channel.consume(queue, (message) => (message ? onMessage(message.content) : this.onCancel(channel)), {
      noAck: true,
    });
    if (this.attached) this.guard(() => this.onGap?.());
    this.attached = true;
  }

  private onCancel(channel: Channel): void {
    channel.close().catch(() => undefined); // opened again because it closes
  }

  /** A listener that throws would close the channel. */
  private guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.log.error({ exchange: this.exchange, err: error }, `a listener failed: ${messageOf(error)}`);
    }
  }
}
