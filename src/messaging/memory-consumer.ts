import type { Logger } from '../telemetry.js';
import type { Consumer, Handler } from './broker.js';
import { DeliveriesInHand, type Settlement } from './deliveries-in-hand.js';
import { messageIn, type MemoryDelivery, type MemoryQueue } from './memory-queue.js';
import type { QueueName } from './topology.js';

/** What becomes of a message that was in hand. */
export interface MemorySettlement {
  acknowledged(delivery: MemoryDelivery): void;
  /** Throws when the dead-letter queue does not take it. */
  deadLettered(delivery: MemoryDelivery, reason: string): void;
}

/** One consumer of a queue in memory. Deliveries wait for the next turn of the event loop: never inside `publish`. */
export class MemoryConsumer implements Consumer, Settlement<MemoryDelivery> {
  private readonly inHand: DeliveriesInHand<MemoryDelivery>;
  private readonly subscription: ReturnType<MemoryQueue['subscribe']>;
  private arrived: MemoryDelivery[] = [];
  private unsettled = 0;

  constructor(
    private readonly queue: MemoryQueue,
    name: QueueName,
    prefetch: number,
    handler: Handler,
    private readonly settlement: MemorySettlement,
    log: Logger,
    private readonly onEnd: (consumer: MemoryConsumer) => void,
  ) {
    this.inHand = new DeliveriesInHand(name, prefetch, handler, this, log);
    this.subscription = queue.subscribe(
      (delivery) => this.arrive(delivery),
      () => prefetch - this.unsettled,
    );
  }

  async drain(): Promise<void> {
    this.stop();
    await this.inHand.drain();
  }

  /** Takes no further deliveries; those in hand may still be settled. */
  stop(): void {
    this.subscription.cancel();
    for (const delivery of this.arrived.splice(0)) this.requeue(delivery);
    this.onEnd(this);
  }

  ack(delivery: MemoryDelivery): void {
    this.settlement.acknowledged(delivery);
    this.release();
  }

  requeue(delivery: MemoryDelivery): void {
    this.queue.requeue(delivery);
    this.release();
  }

  async deadLetter(delivery: MemoryDelivery, reason: string): Promise<void> {
    this.settlement.deadLettered(delivery, reason);
    this.release();
  }

  private arrive(delivery: MemoryDelivery): void {
    this.unsettled++;
    if (this.arrived.push(delivery) === 1) setImmediate(() => this.deliver());
  }

  private deliver(): void {
    const deliveries = this.arrived;
    this.arrived = [];
    for (const delivery of deliveries) {
      const { body, messageId, publishedAt, headers } = messageIn(delivery);
      const redelivered = delivery.fields.redelivered === true;
      this.inHand.take({ body, messageId, publishedAt, headers, redelivered }, delivery);
    }
  }

  private release(): void {
    this.unsettled--;
    this.queue.grant();
  }
}
