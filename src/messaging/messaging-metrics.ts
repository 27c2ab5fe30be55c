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
new Counter({
  name: 'amr_messages_consumed_total',
  help: 'Deliveries settled by their consumer.',
  labelNames: ['queue', 'disposition'],
  registers: [metrics],
  collect() {
    this.reset();
    for (const [queue, tallies] of Object.entries(consumeMetrics)) {
      for (const [disposition, { count }] of Object.entries(tallies)) this.inc({ queue, disposition }, count);
    }
  },
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
/** Counted with each delivery, where a counter of the library costs more than an acknowledgement. */
class Tally {
  count = 0;

  inc(): void {
    this.count++;
  }
}
type ConsumeMetrics = Readonly<Record<Disposition['kind'], Tally>>;

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
    { ack: new Tally(), requeue: new Tally(), 'dead-letter': new Tally() },
  ]),
) as Record<QueueName, ConsumeMetrics>;

/** Counts a broadcast that was dropped because the connection could not take it. */
export function countDroppedBroadcast(exchange: ExchangeName): void {
  failed.inc({ queue: exchange });
}
