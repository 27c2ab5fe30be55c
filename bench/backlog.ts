import { pino } from 'pino';
import { connectBroker } from '../src/messaging/connect-broker.js';
import type { ReadingPlan } from './reading-plan.js';
import type { ScratchQueues } from '../src/scratch/scratch.js';

/** Publishes in flight without a confirm. */
const WINDOW = 5_000;
const PROGRESS_EVERY_MS = 10_000;

/** Publishes the first readings of a plan with confirms, whole messages only. Says every ten seconds how far it is. */
export async function publishBacklog(queues: ScratchQueues, plan: ReadingPlan, readings: number): Promise<void> {
  const broker = await connectBroker(queues, pino({ level: 'silent' }));
  try {
    const messages = Math.ceil(readings / plan.perMessage);
    let told = performance.now();
    for (let from = 0; from < messages; from += WINDOW) {
      const length = Math.min(WINDOW, messages - from);
      await Promise.all(
        Array.from({ length }, (_, index) => broker.publish('readings.new', plan.message(from + index))),
      );
      if (performance.now() - told < PROGRESS_EVERY_MS) continue;
      told = performance.now();
      console.error(`published ${from + length} of ${messages} messages`);
    }
  } finally {
    await broker.close();
  }
}
