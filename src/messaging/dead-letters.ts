import { DEAD_LETTER_HEADERS } from './broker.js';
import { QUEUES, type DeadQueue, type QueueName, type WorkQueue } from './topology.js';

/** Longest reason kept; a broker's header table is bounded. */
const MAX_REASON_LENGTH = 2000;

/** Where the dead letters of `queue` go; undefined for a dead-letter queue itself. */
export function deadQueueOf(queue: QueueName): DeadQueue | undefined {
  return queue in QUEUES ? `${queue as WorkQueue}.dead` : undefined;
}

/** The headers of a message from `queue` that is given up on for `reason`. */
export function deadLetterHeaders(
  headers: Readonly<Record<string, string>>,
  queue: QueueName,
  reason: string,
): Record<string, string> {
  return {
    ...headers,
    [DEAD_LETTER_HEADERS.reason]: reason.slice(0, MAX_REASON_LENGTH),
    [DEAD_LETTER_HEADERS.queue]: queue,
  };
}
