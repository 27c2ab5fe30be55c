import { Queue, type ConsumeMessage, type Consumer as Subscription, type ExchangeEventEmitter } from 'smqp';
import type { OutstandingPublish } from './outstanding-publishes.js';

/** smqp takes from the head of an array, which gets slow beyond. */
const MAX_MESSAGES = 50_000;
const MAX_BYTES = 256 * 1024 * 1024;

/** A message in memory. `publish` is confirmed when a consumer has acknowledged it. */
export interface MemoryMessage {
  readonly body: Buffer;
  readonly messageId: string;
  readonly publishedAt: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly publish: OutstandingPublish<undefined>;
}

/** A message on its way to, or in hand of, a consumer. */
export type MemoryDelivery = ConsumeMessage;

/** The message of a delivery. */
export function messageIn(delivery: Pick<ConsumeMessage, 'content'>): MemoryMessage {
  return delivery.content as MemoryMessage;
}

/**
 * One queue in memory, bounded in messages and bytes, those in hand included.
 *
 * smqp keeps the order, the expiry and the credit of consumers. A delivery leaves its queue at once and is held by the
 * consumer alone: smqp looks through everything unacknowledged at each delivery, and 5,000 in hand cost it six sevenths
 * of its speed (10,000 against 69,000 messages/s).
 */
export class MemoryQueue {
  private readonly queue: Queue;
  private messages = 0;
  private bytes = 0;

  /** `onExpired` receives messages that were not delivered in time; they have left the queue. */
  constructor(name: string, onExpired: (message: MemoryMessage) => void) {
    // Nothing here is rejected but by expiry, so that is what a dead letter of smqp means.
    const events = {
      name,
      emit: (event: string, content?: { message: { content: unknown } }) => {
        if (event !== 'queue.dead-letter') return;
        const message = messageIn(content!.message);
        this.settled(message);
        onExpired(message);
      },
    };
    const options = { autoDelete: false, deadLetterExchange: 'expired' };
    this.queue = new Queue(name, options, events as unknown as ExchangeEventEmitter);
  }

  /** Messages no consumer has yet. */
  get waiting(): number {
    return this.queue.messageCount;
  }

  /** Takes `message`, or answers false when the queue is full. */
  offer(message: MemoryMessage, expiresAfterMs?: number): boolean {
    if (this.messages >= MAX_MESSAGES || this.bytes + message.body.length > MAX_BYTES) return false;
    this.messages++;
    this.bytes += message.body.length;
    this.queue.queueMessage({}, message, {
      messageId: message.messageId,
      ...(expiresAfterMs !== undefined && { expiration: Math.max(1, Math.ceil(expiresAfterMs)) }),
    });
    return true;
  }

  /** Calls `onDelivery` while `credit()` is positive; `grant` tells of new credit. */
  subscribe(onDelivery: (delivery: MemoryDelivery) => void, credit: () => number): Subscription {
    const take = (_key: string, delivery: MemoryDelivery) => {
      onDelivery(delivery);
      delivery.ack(); // out of smqp's queue, into the consumer's hand
    };
    return this.queue.consume(take, { capacity: credit }) as Subscription;
  }

  grant(): void {
    this.queue.consumeNext();
  }

  /** A message in hand is done with. */
  settled(message: MemoryMessage): void {
    this.messages--;
    this.bytes -= message.body.length;
  }

  /** Back to the end of the queue, marked redelivered; what it had left of its time to live goes on. */
  requeue(delivery: MemoryDelivery): void {
    this.queue.queueMessage({ redelivered: true }, delivery.content, delivery.properties);
  }

  evictExpired(): void {
    this.queue.evictExpired();
  }
}
