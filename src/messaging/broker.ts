import type { ExchangeName, QueueName } from './topology.js';

/** What a consumer returns for a delivery: its acknowledgement. */
export type Disposition =
  | { kind: 'ack' }
  /** Back to the queue for another consumer; for work that cannot be finished here, such as at shutdown. */
  | { kind: 'requeue' }
  /** To `<queue>.dead` with `reason` as a header, confirmed before the delivery is acknowledged. */
  | { kind: 'dead-letter'; reason: string };

export const ACK: Disposition = { kind: 'ack' };
export const REQUEUE: Disposition = { kind: 'requeue' };

export interface Delivery {
  readonly body: Buffer;
  /** Delivered before, to a consumer that did not acknowledge it. */
  readonly redelivered: boolean;
  /** Set by the publisher; undefined for foreign publishers that set none. */
  readonly messageId: string | undefined;
  /** When the publisher sent it, ms since the epoch, if it says so. */
  readonly publishedAt: number | undefined;
  /**
   * Whether the broker has taken it back, as the connection it came on was lost: it is delivered again, elsewhere too.
   * Undefined where that cannot be.
   */
  readonly revoked?: () => boolean;
  /** String headers, such as the dead-letter reason. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Headers of a message in a dead-letter queue. */
export const DEAD_LETTER_HEADERS = { reason: 'x-amr-reason', queue: 'x-amr-queue' } as const;

export type Handler = (delivery: Delivery) => Promise<Disposition>;

export interface Consumer {
  /** Takes no further deliveries, waits until those in hand are settled, then ends. */
  drain(): Promise<void>;
}

export interface PublishOptions {
  /** @default a new UUIDv7 */
  messageId?: string;
  /** The broker drops (dead-letters) the message when it was not delivered after this time. */
  expiresAfterMs?: number;
  /** The publish rejects when it is not confirmed after this time. @default 30000 */
  confirmTimeoutMs?: number;
  headers?: Record<string, string>;
  /**
   * Sent at most once: rejects when the connection is lost before the confirm, where others are sent again.
   * For what must not arrive twice and is recovered otherwise. @default false
   */
  once?: boolean;
}

/**
 * At-least-once queues and best-effort fanout. A broker reconnects by itself and re-declares everything; consumers and
 * listeners go on after a reconnect, unacknowledged deliveries come again.
 */
export interface Broker {
  /** `RabbitMQ 3.10.8 at host:5672` or `in-process broker`, for the ready line; never with credentials. */
  readonly description: string;
  /** False while the connection is down. */
  readonly connected: boolean;
  /**
   * Resolves when the broker has confirmed the message (see `QUEUES` for the in-process rule). Rejects with
   * `PublishError` after the confirm timeout, when the broker refuses, or when closed; the message may then have
   * arrived or not.
   */
  publish(queue: QueueName, body: Buffer, options?: PublishOptions): Promise<void>;
  /** `prefetch` bounds the deliveries in hand. A handler that throws is logged and its delivery requeued after a second. */
  consume(queue: QueueName, handler: Handler, options: { prefetch: number }): Promise<Consumer>;
  /** Best effort: lost when nobody listens or the connection is down; never rejects for that. */
  broadcast(exchange: ExchangeName, body: Buffer): Promise<void>;
  /** Calls `listener` with every broadcast from now on; `onGap` after a reconnect, when broadcasts may have been missed. */
  listen(exchange: ExchangeName, listener: (body: Buffer) => void, onGap?: () => void): Promise<Consumer>;
  /** Waits for outstanding confirms (bounded), then closes. */
  close(): Promise<void>;
}

/** A message that the broker did not confirm. */
export class PublishError extends Error {
  override readonly name = 'PublishError';
}
