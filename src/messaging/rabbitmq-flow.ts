import type { Channel, ConsumeMessage } from 'amqplib';
import { prefetchChanges } from './messaging-metrics.js';
import type { QueueName } from './topology.js';

/** Deliveries a consumer begins with when their size is not known yet. */
const FIRST_PREFETCH = 50;
/** How much more it dares at a time. */
const GROWTH = 8;

export interface FlowLimits {
  /** Most deliveries in hand. */
  readonly prefetch: number;
  /** Bytes they may have together. Undefined: not looked at. */
  readonly maxBytes?: number | undefined;
}

/**
 * The subscription of a consumer on one channel. RabbitMQ bounds what a consumer has in hand by number alone, and sends all of it at
 * once. Where the size matters too, the number follows the sizes seen: few at first, more while they are small. It is the subscription's, so
 * that it changes with a new one.
 */
export class RabbitMqFlow {
  private prefetch: number;
  private count = 0;
  private bytes = 0;
  private isChanging = true;
  private hasEnded = false;
  private consumerTag = '';

  constructor(
    private readonly channel: Channel,
    private readonly name: string,
    private readonly queue: QueueName,
    private readonly limits: FlowLimits,
    private readonly onMessage: (message: ConsumeMessage | null) => void,
  ) {
    this.prefetch = limits.maxBytes === undefined ? limits.prefetch : Math.min(limits.prefetch, FIRST_PREFETCH);
  }

  async start(): Promise<void> {
    await this.channel.prefetch(this.prefetch);
    const { consumerTag } = await this.channel.consume(this.name, this.onMessage);
    this.consumerTag = consumerTag;
    this.isChanging = false;
    // All of it may have come before the answer did.
    this.adjust();
  }

  /** Takes no further deliveries; those under way may still come. */
  async end(): Promise<void> {
    this.hasEnded = true;
    await this.channel.cancel(this.consumerTag).catch(() => undefined); // went with its channel
  }

  received(bytes: number): void {
    this.count++;
    this.bytes += bytes;
    this.adjust();
  }

  settled(bytes: number): void {
    this.count--;
    this.bytes -= bytes;
  }

  private adjust(): void {
    const { maxBytes } = this.limits;
    if (maxBytes === undefined || this.isChanging || this.hasEnded) return;
    const isFull = this.count >= this.prefetch;
    if (!isFull && this.bytes <= maxBytes) return;
    const fitting = Math.floor((maxBytes * this.count) / this.bytes);
    const next = Math.max(1, Math.min(this.limits.prefetch, fitting, this.prefetch * GROWTH));
    // Not for a little: a new subscription costs a round trip.
    if (
      next >= this.prefetch * 2 ||
      (next === this.limits.prefetch && next > this.prefetch) ||
      next * 2 <= this.prefetch
    )
      this.change(next);
  }

  /** What fails here fails with its channel, and another one begins anew. */
  private change(prefetch: number): void {
    this.isChanging = true;
    this.prefetch = prefetch;
    prefetchChanges.inc({ queue: this.queue });
    this.channel
      .cancel(this.consumerTag)
      .then(() => (this.hasEnded ? undefined : this.start()))
      .then(() => (this.hasEnded ? this.end() : undefined))
      .catch(() => undefined);
  }
}
