import { AsyncResource } from 'node:async_hooks';
import type { Logger } from '../telemetry.js';
import {
  PublishError,
  type Broker,
  type Consumer,
  type ConsumeOptions,
  type Handler,
  type PublishOptions,
} from './broker.js';
import { deadLetterHeaders, deadQueueOf } from './dead-letters.js';
import { MemoryConsumer, type MemorySettlement } from './memory-consumer.js';
import { MemoryListener } from './memory-listener.js';
import { MemoryQueue, messageIn, type MemoryMessage } from './memory-queue.js';
import { newMessageId } from './message-id.js';
import { OutstandingPublishes } from './outstanding-publishes.js';
import { topicMatches } from './topic-pattern.js';
import {
  DEAD_QUEUES,
  EXCHANGES,
  QUEUES,
  TOPICS,
  WORK_QUEUES,
  type ExchangeName,
  type QueueName,
  type TopicName,
  type WorkQueue,
} from './topology.js';

const CLOSE_WAIT_MS = 5000;
/** RabbitMQ expires the message at the head by timer; here all queues are looked through. */
const EXPIRY_SWEEP_MS = 100;

interface Binding {
  readonly pattern: string;
  readonly listener: MemoryListener;
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/**
 * A `Broker` inside one process. Its messages die with the process, so a publish to a queue marked `confirmOnConsume`,
 * or to a dead-letter queue, is confirmed only when a consumer has acknowledged it: nothing confirmed is lost.
 */
export class MemoryBroker implements Broker {
  readonly description = 'in-process broker';
  private readonly queues: ReadonlyMap<QueueName, MemoryQueue>;
  private readonly listeners = new Map(EXCHANGES.map((name) => [name, new Set<MemoryListener>()]));
  private readonly bindings = new Map(TOPICS.map((name) => [name, new Set<Binding>()]));
  private readonly consumers = new Set<MemoryConsumer>();
  private readonly outstanding = new OutstandingPublishes<undefined>();
  private readonly expirySweeper: NodeJS.Timeout;
  private closed = false;

  constructor(private readonly log: Logger) {
    this.queues = new Map(
      [...WORK_QUEUES, ...DEAD_QUEUES].map((name) => [
        name,
        new MemoryQueue(name, (message) => this.expire(name, message)),
      ]),
    );
    this.expirySweeper = setInterval(() => {
      for (const queue of this.queues.values()) queue.evictExpired();
    }, EXPIRY_SWEEP_MS).unref();
  }

  get connected(): boolean {
    return !this.closed;
  }

  publish(queue: QueueName, body: Buffer, options: PublishOptions = {}): Promise<void> {
    return this.outstanding.open(queue, undefined, body.length, options, (publish) => {
      const message: MemoryMessage = {
        body,
        messageId: options.messageId ?? newMessageId(),
        publishedAt: Date.now(),
        headers: options.headers ?? NO_HEADERS,
        publish,
      };
      const taken = this.queue(queue).offer(message, options.expiresAfterMs);
      if (!taken) this.outstanding.fail(publish, 'the queue is full');
      else if (!confirmsOnConsume(queue)) this.outstanding.confirm(publish);
    });
  }

  publishTo(topic: TopicName, routingKey: string, body: Buffer, options: PublishOptions = {}): Promise<void> {
    return this.outstanding.open(topic, undefined, body.length, options, (publish) => {
      for (const { pattern, listener } of this.bindings.get(topic)!)
        if (topicMatches(pattern, routingKey)) listener.offer(body);
      this.outstanding.confirm(publish);
    });
  }

  /**
   * Listens to a topic exchange within this process, as a queue bound with `pattern` would; for what is embedded here.
   * Best effort as `listen`: nothing outlives the process.
   */
  async bind(topic: TopicName, pattern: string, listener: (body: Buffer) => void): Promise<Consumer> {
    this.refuseWhenClosed();
    const bindings = this.bindings.get(topic)!;
    const binding = {
      pattern,
      listener: new MemoryListener(AsyncResource.bind(listener), this.log, () => bindings.delete(binding)),
    };
    bindings.add(binding);
    return binding.listener;
  }

  async consume(queue: QueueName, handler: Handler, { prefetch }: ConsumeOptions): Promise<Consumer> {
    this.refuseWhenClosed();
    // What it does is its own: were it part of the request that published, it would end when that runs out of time.
    const own = AsyncResource.bind(handler);
    const onEnd = (ended: MemoryConsumer) => this.consumers.delete(ended);
    const consumer = new MemoryConsumer(
      this.queue(queue),
      queue,
      prefetch,
      own,
      this.settlement(queue),
      this.log,
      onEnd,
    );
    this.consumers.add(consumer);
    return consumer;
  }

  async depth(queue: QueueName): Promise<number> {
    return this.queue(queue).waiting;
  }

  async broadcast(exchange: ExchangeName, body: Buffer): Promise<void> {
    for (const listener of this.listeners.get(exchange)!) listener.offer(body);
  }

  /** There is no connection to lose, so never a gap. */
  async listen(exchange: ExchangeName, listener: (body: Buffer) => void): Promise<Consumer> {
    this.refuseWhenClosed();
    const listeners = this.listeners.get(exchange)!;
    const consumer = new MemoryListener(AsyncResource.bind(listener), this.log, (ended) => listeners.delete(ended));
    listeners.add(consumer);
    return consumer;
  }

  async close(): Promise<void> {
    this.closed = true;
    // Without a consumer nothing will be acknowledged any more.
    await this.outstanding.close(this.consumers.size > 0 ? CLOSE_WAIT_MS : 0);
    clearInterval(this.expirySweeper);
    for (const consumer of this.consumers) consumer.stop();
    for (const listeners of this.listeners.values()) for (const listener of listeners) await listener.drain();
    for (const bindings of this.bindings.values()) for (const { listener } of bindings) await listener.drain();
  }

  private queue(name: QueueName): MemoryQueue {
    return this.queues.get(name)!;
  }

  private settlement(name: QueueName): MemorySettlement {
    const queue = this.queue(name);
    return {
      acknowledged: (delivery) => {
        const message = messageIn(delivery);
        queue.settled(message);
        this.outstanding.confirm(message.publish);
      },
      deadLettered: (delivery, reason) => {
        const message = messageIn(delivery);
        if (!this.moveToDeadQueue(name, message, reason)) {
          throw new PublishError(`${name} has no dead-letter queue, or it is full`);
        }
        queue.settled(message);
      },
    };
  }

  private expire(queue: QueueName, message: MemoryMessage): void {
    if (this.moveToDeadQueue(queue, message, 'expired')) return;
    this.log.warn({ queue, messageId: message.messageId }, 'an expired message was dropped');
    this.outstanding.fail(message.publish, 'it expired');
  }

  /** The publish moves along: it is confirmed when the consumer of the dead-letter queue has acknowledged. */
  private moveToDeadQueue(from: QueueName, message: MemoryMessage, reason: string): boolean {
    const dead = deadQueueOf(from);
    if (!dead) return false;
    return this.queue(dead).offer({ ...message, headers: deadLetterHeaders(message.headers, from, reason) });
  }

  private refuseWhenClosed(): void {
    if (this.closed) throw new Error('The broker is closed: nothing can be consumed.');
  }
}

function confirmsOnConsume(queue: QueueName): boolean {
  return deadQueueOf(queue) === undefined || QUEUES[queue as WorkQueue].confirmOnConsume;
}
