import { IllegalOperationError, type Channel, type ChannelModel } from 'amqplib';
import { countDroppedBroadcast } from './messaging-metrics.js';
import { ReopeningChannel } from './rabbitmq-channel.js';
import type { ExchangeName } from './topology.js';

/** Sends broadcasts, and drops them while the connection is down or its write buffer is full. */
export class RabbitMqBroadcaster extends ReopeningChannel {
  private full = false;

  broadcast(exchange: ExchangeName, body: Buffer): void {
    if (!this.channel || this.full) return countDroppedBroadcast(exchange);
    try {
      const options = { persistent: false, contentType: 'application/json' };
      this.full = !this.channel.publish(this.home.queuePrefix + exchange, '', body, options);
    } catch (error) {
      if (!(error instanceof IllegalOperationError)) throw error;
      countDroppedBroadcast(exchange); // the channel is closing
    }
  }

  protected open(model: ChannelModel): Promise<Channel> {
    return model.createChannel();
  }

  protected async setUp(channel: Channel): Promise<void> {
    this.full = false;
    channel.on('drain', () => {
      this.full = false;
    });
  }
}
