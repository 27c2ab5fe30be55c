import { IllegalOperationError, type ChannelModel, type ConfirmChannel, type Message } from 'amqplib';
import { messageOf } from '../errors.js';
import { RESENT_HEADER, type PublishOptions } from './broker.js';
import { OutstandingPublishes, type OutstandingPublish } from './outstanding-publishes.js';
import { ReopeningChannel } from './rabbitmq-channel.js';
import { publishProperties, type MessageProperties } from './rabbitmq-message.js';
import type { PublishTarget, QueueName, TopicName } from './topology.js';

interface Envelope {
  /** '' is the exchange that takes a queue's name for the routing key. */
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly properties: MessageProperties;
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
    const properties = publishProperties(options, publishedAt, true);
    return this.hand(queue, { exchange: '', routingKey: this.home.queuePrefix + queue, body, properties }, options);
  }

  /** Nobody need be bound to a topic: what no queue takes is confirmed. */
  publishTo(topic: TopicName, routingKey: string, body: Buffer, options: PublishOptions): Promise<void> {
    const properties = publishProperties(options, Date.now(), false);
    return this.hand(topic, { exchange: this.home.queuePrefix + topic, routingKey, body, properties }, options);
  }

  /** Waits up to `waitMs` for outstanding confirms; later publishes reject. */
  close(waitMs: number): Promise<void> {
    return this.outstanding.close(waitMs);
  }

  private hand(
    target: PublishTarget,
    message: Omit<Envelope, 'once' | 'sent'>,
    options: PublishOptions,
  ): Promise<void> {
    const envelope = { ...message, once: options.once ?? false, sent: false };
    return this.outstanding.open(target, envelope, message.body.length, options, (publish) => {
      if (this.channel && !this.full) this.send(this.channel, publish);
    });
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
      else if (message.sent) {
        message.sent = false;
        message.properties.headers[RESENT_HEADER] = 'true';
      }
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
    const { exchange, routingKey, body, properties } = publish.message;
    const onConfirm = (error: unknown) => {
      if (error === null) this.outstanding.confirm(publish);
      // A lost channel fails its callbacks as well, but is not `this.channel` any more: the next one sends again.
      else if (channel === this.channel) this.outstanding.fail(publish, 'RabbitMQ refused it, a queue may be full');
    };
    try {
      this.full = !channel.publish(exchange, routingKey, body, properties, onConfirm);
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
      if (publish.message.routingKey !== message.fields.routingKey) continue;
      this.outstanding.fail(publish, `RabbitMQ has no queue ${message.fields.routingKey}`);
      return;
    }
  }
}
