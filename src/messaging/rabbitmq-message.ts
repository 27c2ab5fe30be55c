import type { ConsumeMessage, Options } from 'amqplib';
import { DEAD_LETTER_HEADERS, type Delivery, type PublishOptions } from './broker.js';
import { newMessageId } from './message-id.js';

/** Milliseconds since the epoch: the `timestamp` property of AMQP 0-9-1 has whole seconds only. */
const PUBLISHED_AT_HEADER = 'x-amr-published-at';

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

export type MessageProperties = Omit<Options.Publish, 'headers'> & { readonly headers: Record<string, unknown> };

/** Properties of a persistent message; `mandatory` makes the broker return what no queue takes. */
export function publishProperties(options: PublishOptions, publishedAt: number, mandatory: boolean): MessageProperties {
  return {
    persistent: true,
    mandatory,
    contentType: 'application/json',
    messageId: options.messageId ?? newMessageId(),
    timestamp: Math.floor(publishedAt / 1000),
    headers: { ...options.headers, [PUBLISHED_AT_HEADER]: publishedAt },
    ...(options.expiresAfterMs !== undefined && { expiration: String(Math.ceil(options.expiresAfterMs)) }),
  };
}

/** `prefix` is taken off the queue name in the headers of a dead letter. */
export function toDelivery(message: ConsumeMessage, prefix: string, revoked?: () => boolean): Delivery {
  const { properties, fields, content } = message;
  const headers = (properties.headers ?? NO_HEADERS) as Record<string, unknown>;
  const publishedAt = headers[PUBLISHED_AT_HEADER];
  const seconds = properties.timestamp as number | undefined;
  return {
    body: content,
    // A quorum queue counts returns in a header; the flag alone misses some of them.
    redelivered: fields.redelivered || Number(headers['x-delivery-count'] ?? 0) > 0,
    messageId: properties.messageId as string | undefined,
    publishedAt: typeof publishedAt === 'number' ? publishedAt : seconds === undefined ? undefined : seconds * 1000,
    headers: stringHeaders(headers, prefix),
    revoked,
  };
}

function stringHeaders(headers: Record<string, unknown>, prefix: string): Readonly<Record<string, string>> {
  let strings: Record<string, string> | undefined;
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === 'string') (strings ??= {})[name] = value;
  }
  if (strings === undefined) return NO_HEADERS;
  // Dead-lettered by the broker itself: expired, or over its delivery limit.
  const reason = strings['x-first-death-reason'];
  if (reason !== undefined && strings[DEAD_LETTER_HEADERS.reason] === undefined) {
    strings[DEAD_LETTER_HEADERS.reason] = reason;
    strings[DEAD_LETTER_HEADERS.queue] = (strings['x-first-death-queue'] ?? '').slice(prefix.length);
  }
  return strings;
}
