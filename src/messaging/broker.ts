import type { ExchangeName, QueueName, TopicName } from './topology.js';

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

/** Set on a message that its publisher sent again, as it does not know whether the first one arrived. */
export const RESENT_HEADER = 'x-amr-resent';

/** Header of a dead letter that was put back into its queue: its id. */
export const REDRIVE_HEADER = 'x-amr-redrive';

export type Handler = (delivery: Delivery) => Promise<Disposition>;

export interface Consumer {
  /** Takes no further deliveries, waits until those in hand are settled, then ends. */
  drain(): Promise<void>;
}

export interface ConsumeOptions {
  /** Most deliveries in hand. */
  prefetch: number;
  /**
   * Bytes the deliveries in hand may have together: RabbitMQ is asked for fewer at once where they are large. Deliveries that are suddenly
   * larger than those before can go beyond. @default not looked at
   */
  maxBytes?: number;
  /**
   * Longest wait of an acknowledgement for those of earlier deliveries, so that they go out as one. For consumers that settle
   * many at once in several batches side by side. @default 0
   */
  holdAcksMs?: number;
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
  /**
   * To whoever has bound a queue to the topic exchange with a pattern that matches `routingKey`: words with dots
   * between, up to 255 bytes. Persistent; resolves and rejects as `publish` does, and resolves where nobody is bound.
   * A full queue of one program with `reject-publish` refuses the message for all. The in-process broker confirms at
   * once: what listens there is in this process.
   */
  publishTo(topic: TopicName, routingKey: string, body: Buffer, options?: PublishOptions): Promise<void>;
  /** A handler that throws is logged and its delivery requeued after a second. */
  consume(queue: QueueName, handler: Handler, options: ConsumeOptions): Promise<Consumer>;
  /** Best effort: lost when nobody listens or the connection is down; never rejects for that. */
  broadcast(exchange: ExchangeName, body: Buffer): Promise<void>;
  /** Calls `listener` with every broadcast from now on; `onGap` after a reconnect, when broadcasts may have been missed. */
  listen(exchange: ExchangeName, listener: (body: Buffer) => void, onGap?: () => void): Promise<Consumer>;
  /** Messages that wait in a queue for a consumer, those in hand not counted. Rejects when the broker does not say within 5 s. */
  depth(queue: QueueName): Promise<number>;
  /** Waits for outstanding confirms (bounded), then closes. */
  close(): Promise<void>;
}

/** A message that the broker did not confirm. */
export class PublishError extends Error {
  override readonly name = 'PublishError';
}
