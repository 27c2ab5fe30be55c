import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { Logger } from '../telemetry.js';
import { PublishError, type Consumer, type ConsumeOptions, type Handler } from './broker.js';
import { CoalescedAcks } from './coalesced-acks.js';
import { deadLetterHeaders, deadQueueOf } from './dead-letters.js';
import { DeliveriesInHand, type Settlement } from './deliveries-in-hand.js';
import { RabbitMqFlow } from './rabbitmq-flow.js';
import { ReopeningChannel } from './rabbitmq-channel.js';
import type { RabbitMqConnection } from './rabbitmq-connection.js';
import { toDelivery } from './rabbitmq-message.js';
import type { RabbitMqPublisher } from './rabbitmq-publisher.js';
import { assertQueue } from './rabbitmq-topology.js';
import type { QueueName } from './topology.js';

/** A delivery is settled on the channel it came from, and on no other. */
interface Token {
  readonly acks: CoalescedAcks;
  readonly flow: RabbitMqFlow;
  readonly message: ConsumeMessage;
}

/** One consumer on a channel of its own. */
export class RabbitMqConsumer extends ReopeningChannel implements Consumer, Settlement<Token> {
  private readonly inHand: DeliveriesInHand<Token>;
  private acks: CoalescedAcks | undefined;
  private flow: RabbitMqFlow | undefined;
  private draining = false;

  constructor(
    private readonly connection: RabbitMqConnection,
    private readonly publisher: RabbitMqPublisher,
    private readonly queue: QueueName,
    private readonly options: ConsumeOptions,
    handler: Handler,
    log: Logger,
  ) {
    super(connection, log);
    this.inHand = new DeliveriesInHand(queue, options.prefetch, handler, this, log);
  }

  async drain(): Promise<void> {
    this.draining = true;
    this.connection.release(this);
    await this.flow?.end();
    await this.inHand.drain();
    this.acks?.flush();
    await this.retire();
  }

  ack({ acks, flow, message }: Token): void {
    acks.ack(message);
    flow.settled(message.content.length);
  }

  requeue({ acks, flow, message }: Token): void {
    acks.requeue(message);
    flow.settled(message.content.length);
  }

  /** Published first: a crash between the two repeats the dead letter, the other order could lose it. */
  async deadLetter(token: Token, reason: string): Promise<void> {
    const dead = deadQueueOf(this.queue);
    if (!dead) throw new PublishError(`${this.queue} has no dead-letter queue`);
    const { body, headers, messageId, publishedAt } = toDelivery(token.message, this.connection.queuePrefix);
    const options = {
      headers: deadLetterHeaders(headers, this.queue, reason),
      ...(messageId !== undefined && { messageId }),
    };
    await this.publisher.publish(dead, body, options, publishedAt);
    this.ack(token);
  }

  protected open(model: ChannelModel): Promise<Channel> {
    return model.createChannel();
  }

  protected async setUp(channel: Channel): Promise<void> {
    this.inHand.forgetWaiting();
    // Declared again: the broker also ends a consumer because its queue was deleted.
    await assertQueue(channel, this.connection.queuePrefix, this.queue);
    const name = this.connection.queuePrefix + this.queue;
    const acks = new CoalescedAcks(channel, this.options.holdAcksMs);
    this.acks = acks;
    const revoked = () => this.acks !== acks || this.channel === undefined;
    const flow = new RabbitMqFlow(channel, name, this.queue, this.options, (message) =>
      this.onMessage(channel, acks, flow, revoked, message),
    );
    this.flow = flow;
    await flow.start();
  }

  private onMessage(
    channel: Channel,
    acks: CoalescedAcks,
    flow: RabbitMqFlow,
    revoked: () => boolean,
    message: ConsumeMessage | null,
  ): void {
    if (message === null) {
      this.log.warn({ queue: this.queue }, 'RabbitMQ cancelled a consumer; it subscribes again');
      channel.close().catch(() => undefined); // opened again because it closes
      return;
    }
    flow.received(message.content.length);
    if (this.draining) {
      this.requeue({ acks, flow, message });
    } else {
      this.inHand.take(toDelivery(message, this.connection.queuePrefix, revoked), { acks, flow, message });
    }
  }
}
