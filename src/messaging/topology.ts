/** Every queue and exchange, as data; asserted on each connect. Names are put behind `AMR_QUEUE_PREFIX`. */

/**
 * Work queues. Each is a durable quorum queue with a dead-letter queue `<name>.dead`.
 * `confirmOnConsume`: with the in-process broker a publish is confirmed only when the consumer has acknowledged, because
 * memory dies with the process. Session queues confirm on enqueue: a lost session is recovered by its lease.
 */
export const QUEUES = {
  'amr.scheduled': { confirmOnConsume: false },
  'amr.on_demand': { confirmOnConsume: false },
  'readings.new': { confirmOnConsume: true },
  'amr.results': { confirmOnConsume: true },
} as const;
export type WorkQueue = keyof typeof QUEUES;
export type DeadQueue = `${WorkQueue}.dead`;
export type QueueName = WorkQueue | DeadQueue;

export const WORK_QUEUES = Object.keys(QUEUES) as readonly WorkQueue[];
export const DEAD_QUEUES = WORK_QUEUES.map((name): DeadQueue => `${name}.dead`);

/** Fanout exchanges for transient news: each listener has its own exclusive queue that drops its oldest message when full. */
export const EXCHANGES = ['readings.committed', 'runs.changed', 'amr.control'] as const;
export type ExchangeName = (typeof EXCHANGES)[number];

/** Durable topic exchanges for other programs, who bind queues of their own; see `docs/messages.md` for keys and bodies. */
export const TOPICS = ['readings', 'alerts'] as const;
export type TopicName = (typeof TOPICS)[number];

/** Where a publish with a confirm may go. */
export type PublishTarget = QueueName | TopicName;

/** Messages one listener may lag behind before the oldest are dropped (a gap is filled from the database). */
export const LISTENER_BACKLOG = 10_000;

/**
 * Arguments of every work queue. `at-least-once` with `reject-publish`: with the default overflow a dead-lettered
 * message was seen to get lost. The limit is high because each crash of a consumer counts one redelivery.
 */
export function workQueueArguments(deadLetterQueue: string): Record<string, unknown> {
  return {
    'x-queue-type': 'quorum',
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': deadLetterQueue,
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
    'x-delivery-limit': 100,
  };
}
