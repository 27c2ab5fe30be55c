import type { Config } from '../../config.js';

/** How an ingester orders its work. What is stored is the same under all; see docs/strategies.md. */
export interface Strategy {
  readonly name: Config['ingestStrategy'];
  /** Whether one ingester works at a time, elected by those that run. */
  readonly isElected: boolean;
  /** Queues of messages to be written. Those of one meter go to one queue. */
  readonly lanes: number;
  /** Batches of one lane that are written at once: with more than one, order is lost. */
  readonly writersPerLane: number;
  /** Messages committed together, at most. */
  readonly messagesPerBatch: number;
  /** Longest wait for a batch to fill, in milliseconds. */
  readonly windowMs: number;
}

/**
 * - `sequential`: one message after another in the order of arrival, by one elected ingester.
 * - `hybrid`: in order per meter within one ingester, parallel across meters.
 * - `async`: batches side by side; order is in the key and the watermark.
 */
export function strategyOf({
  ingestStrategy: name,
  ingestParallelism,
  ingestWindowMs: windowMs,
}: Pick<Config, 'ingestStrategy' | 'ingestParallelism' | 'ingestWindowMs'>): Strategy {
  const whole = { name, isElected: false, messagesPerBatch: Infinity, windowMs };
  switch (name) {
    case 'sequential':
      return { name, isElected: true, lanes: 1, writersPerLane: 1, messagesPerBatch: 1, windowMs: 0 };
    case 'hybrid':
      return { ...whole, lanes: ingestParallelism, writersPerLane: 1 };
    case 'async':
      return { ...whole, lanes: 1, writersPerLane: ingestParallelism };
  }
}
