import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../errors.js';
import type { Logger } from '../telemetry.js';
import type { Delivery, Disposition, Handler } from './broker.js';
import { consumeMetrics } from './messaging-metrics.js';
import type { QueueName } from './topology.js';

/** A failed delivery waits this long before it is requeued, so that a failing handler does not spin. */
const REQUEUE_DELAY_MS = 1000;

/** How one broker carries out a disposition; `token` is whatever it knows a delivery by. None throws when the delivery is gone. */
export interface Settlement<Token> {
  ack(token: Token): void;
  requeue(token: Token): void;
  /** Resolves when the dead-letter queue has the message and the delivery is acknowledged; rejects when it does not take it. */
  deadLetter(token: Token, reason: string): Promise<void>;
}

/**
 * Runs the handler of one consumer, at most `prefetch` times at once, and settles each delivery as it says. The broker
 * keeps to the prefetch too, but after a reconnect it does not know what is still in hand from before.
 */
export class DeliveriesInHand<Token> {
  private count = 0;
  private waiting: { delivery: Delivery; token: Token }[] = [];
  private readonly onIdle: (() => void)[] = [];

  constructor(
    private readonly queue: QueueName,
    private readonly prefetch: number,
    private readonly handler: Handler,
    private readonly settlement: Settlement<Token>,
    private readonly log: Logger,
  ) {}

  /** Never throws. */
  take(delivery: Delivery, token: Token): void {
    if (this.count < this.prefetch) this.handle(delivery, token);
    else this.waiting.push({ delivery, token });
  }

  /** Forgets deliveries that no handler has seen, when the channel they came from is lost: they are delivered again. */
  forgetWaiting(): void {
    this.waiting = [];
  }

  /** Hands back what no handler has seen and resolves when nothing is in hand. */
  drain(): Promise<void> {
    for (const { token } of this.waiting.splice(0)) this.settlement.requeue(token);
    if (this.count === 0) return Promise.resolve();
    return new Promise((resolve) => this.onIdle.push(resolve));
  }

  private handle(delivery: Delivery, token: Token): void {
    this.count++;
    const onError = (error: unknown) => this.requeueLater(token, 'the handler of a delivery failed', error);
    try {
      this.handler(delivery).then((disposition) => this.settle(token, disposition), onError);
    } catch (error) {
      onError(error);
    }
  }

  private settle(token: Token, disposition: Disposition): void {
    if (disposition.kind === 'dead-letter') {
      this.settlement.deadLetter(token, disposition.reason).then(
        () => this.settled('dead-letter'),
        (error: unknown) => this.requeueLater(token, 'the dead-letter queue did not take a message', error),
      );
      return;
    }
    if (disposition.kind === 'ack') this.settlement.ack(token);
    else this.settlement.requeue(token);
    this.settled(disposition.kind);
  }

  private requeueLater(token: Token, what: string, error: unknown): void {
    this.log.error({ queue: this.queue, err: error }, `${what}; it is requeued: ${messageOf(error)}`);
    void delay(REQUEUE_DELAY_MS).then(() => {
      this.settlement.requeue(token);
      this.settled('requeue');
    });
  }

  private settled(kind: Disposition['kind']): void {
    consumeMetrics[this.queue][kind].inc();
    this.count--;
    const next = this.waiting.shift();
    if (next) this.handle(next.delivery, next.token);
    else if (this.count === 0) for (const resolve of this.onIdle.splice(0)) resolve();
  }
}
