import { Counter } from 'prom-client';
import { metrics } from '../telemetry.js';
import type { Disposition } from './broker.js';
import { DEAD_QUEUES, TOPICS, WORK_QUEUES, type ExchangeName, type PublishTarget, type QueueName } from './topology.js';

const published = new Counter({
  name: 'amr_messages_published_total',
  help: 'Messages whose publish the broker confirmed.',
  labelNames: ['queue'],
  registers: [metrics],
});
const failed = new Counter({
  name: 'amr_publish_failures_total',
  help: 'Publishes that were refused or not confirmed in time, and broadcasts that were dropped.',
  labelNames: ['queue'],
  registers: [metrics],
});
const consumed = new Counter({
  name: 'amr_messages_consumed_total',
  help: 'Deliveries settled by their consumer.',
  labelNames: ['queue', 'disposition'],
  registers: [metrics],
});

/** Times that a lost connection to the broker was made again. */
export const brokerReconnects = new Counter({
  name: 'amr_broker_reconnects_total',
  help: 'Connections to the broker made again after a loss.',
  registers: [metrics],
});

/** Times that a consumer changed how many deliveries it takes at once, by their size. */
export const prefetchChanges = new Counter({
  name: 'amr_prefetch_changes_total',
  help: 'Times that a consumer changed how many deliveries it takes at once, by their size.',
  labelNames: ['queue'],
  registers: [metrics],
});

type Child = Counter.Internal;

type PublishMetrics = Readonly<Record<'published' | 'failed', Child>>;
type ConsumeMetrics = Readonly<Record<Disposition['kind'], Child>>;

/** Counters of each queue and topic exchange, resolved once: labels are not looked up per message. */
export const publishMetrics = Object.fromEntries(
  [...WORK_QUEUES, ...DEAD_QUEUES, ...TOPICS].map((target): [PublishTarget, PublishMetrics] => [
    target,
    { published: published.labels(target), failed: failed.labels(target) },
  ]),
) as Record<PublishTarget, PublishMetrics>;

export const consumeMetrics = Object.fromEntries(
  [...WORK_QUEUES, ...DEAD_QUEUES].map((queue): [QueueName, ConsumeMetrics] => [
    queue,
    {
      ack: consumed.labels(queue, 'ack'),
      requeue: consumed.labels(queue, 'requeue'),
      'dead-letter': consumed.labels(queue, 'dead-letter'),
    },
  ]),
) as Record<QueueName, ConsumeMetrics>;

/** Counts a broadcast that was dropped because the connection could not take it. */
export function countDroppedBroadcast(exchange: ExchangeName): void {
  failed.inc({ queue: exchange });
}
