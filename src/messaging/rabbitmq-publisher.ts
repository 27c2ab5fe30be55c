import { IllegalOperationError, type ChannelModel, type ConfirmChannel, type Message, type Options } from 'amqplib';
import { messageOf } from '../errors.js';
import type { PublishOptions } from './broker.js';
import { OutstandingPublishes, type OutstandingPublish } from './outstanding-publishes.js';
import { ReopeningChannel } from './rabbitmq-channel.js';
import { publishProperties } from './rabbitmq-message.js';
import type { QueueName } from './topology.js';

interface Envelope {
  readonly body: Buffer;
  readonly properties: Options.Publish;
  readonly once: boolean;
  /** Written to the channel in use. */
  sent: boolean;
}

/**
 * Publishes with confirms. Whatever is unconfirmed when a channel is lost, and whatever was published without one, is
 * sent on the next channel: at least once, until its deadline.
 */
export class RabbitMqPublisher extends ReopeningChannel<ConfirmChannel> {
  private readonly outstanding = new OutstandingPublishes<Envelope>();
  /** The channel's write buffer is full: messages wait here, where they are bounded and withdrawn at their deadline. */
  private full = false;

  /** `publishedAt` is that of the original when a message is moved. */
  publish(queue: QueueName, body: Buffer, options: PublishOptions, publishedAt = Date.now()): Promise<void> {
    const envelope = {
      body,
      properties: publishProperties(options, publishedAt),
      once: options.once ?? false,
      sent: false,
    };
    return this.outstanding.open(queue, envelope, body.length, options, (publish) => {
      if (this.channel && !this.full) this.send(this.channel, publish);
    });
  }

  /** Waits up to `waitMs` for outstanding confirms; later publishes reject. */
  close(waitMs: number): Promise<void> {
    return this.outstanding.close(waitMs);
  }

  protected open(model: ChannelModel): Promise<ConfirmChannel> {
    return model.createConfirmChannel();
  }

  protected async setUp(channel: ConfirmChannel): Promise<void> {
    channel.on('return', (message) => this.refuseReturned(message));
    channel.on('drain', () => this.sendWaiting(channel));
    for (const publish of this.outstanding) {
      const { message } = publish;
      if (message.once && message.sent) this.outstanding.fail(publish, 'the connection was lost; it is not sent twice');
      else message.sent = false;
    }
    this.sendWaiting(channel);
  }

  private sendWaiting(channel: ConfirmChannel): void {
    this.full = false;
    for (const publish of this.outstanding) {
      if (this.full) return;
      if (!publish.message.sent) this.send(channel, publish);
    }
  }

  private send(channel: ConfirmChannel, publish: OutstandingPublish<Envelope>): void {
    const { body, properties } = publish.message;
    const onConfirm = (error: unknown) => {
      if (error === null) this.outstanding.confirm(publish);
      // A lost channel fails its callbacks as well, but is not `this.channel` any more: the next one sends again.
      else if (channel === this.channel) this.outstanding.fail(publish, 'RabbitMQ refused it, the queue may be full');
    };
    try {
      this.full = !channel.publish('', this.home.queuePrefix + publish.queue, body, properties, onConfirm);
      publish.message.sent = true;
    } catch (error) {
      // On a channel that is closing the message waits for the next; anything else is the message's own fault.
      if (!(error instanceof IllegalOperationError)) this.outstanding.fail(publish, messageOf(error));
    }
  }

  /** RabbitMQ returns an unroutable message before it confirms it. The search ends early: returns come in publish order. */
  private refuseReturned(message: Message): void {
    for (const publish of this.outstanding) {
      if (publish.message.properties.messageId !== message.properties.messageId) continue;
      if (this.home.queuePrefix + publish.queue !== message.fields.routingKey) continue;
      this.outstanding.fail(publish, `RabbitMQ has no queue ${message.fields.routingKey}`);
      return;
    }
  }
}
