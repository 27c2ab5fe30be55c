import { pause } from '../retry.js';
import type { Broker } from '../messaging/broker.js';
import type { Load, LoadMessage } from './load.js';
import { encodeMessage } from './messages.js';

/** Messages that wait for their confirm at most. */
const IN_FLIGHT = 2_000;

/** When each message was handed to the broker: milliseconds since the epoch, with fractions, by the clock of this process. */
export type PublishTimes = Float64Array;

export function clockNow(): number {
  return performance.timeOrigin + performance.now();
}

export interface Pace {
  /** Readings per second, at most. */
  rate?: number | undefined;
  /** Nothing more is published after this time; in seconds. */
  seconds?: number | undefined;
  /** Readings that are settled so far: what waits stays in proportion, so that it is settled in a time in proportion too. */
  settled?: (() => number) | undefined;
}

/** Readings that may wait at first, and how many more for each that is settled. */
const FIRST_WAITING = 500;
const WAITING_PER_SETTLED = 2;
const LOOK_MS = 20;

/**
 * Publishes `messages` in this order and fills `times`. Resolves with the number of messages published when all of them are
 * confirmed; rejects when one is not, or with the reason of `signal`.
 */
export async function feed(
  broker: Pick<Broker, 'publish'>,
  load: Load,
  messages: readonly LoadMessage[],
  pace: Pace,
  times: PublishTimes,
  signal: AbortSignal,
): Promise<number> {
  const confirms: Promise<void>[] = [];
  const failures: unknown[] = [];
  const startedAt = clockNow();
  const isOver = () => pace.seconds !== undefined && clockNow() > startedAt + pace.seconds * 1000;
  let readings = 0;
  let published = 0;
  for (const message of messages) {
    await confirms[published % IN_FLIGHT];
    if (pace.rate !== undefined) {
      const wait = startedAt + (readings / pace.rate) * 1000 - clockNow();
      if (wait > 1) await pause(wait, signal);
    }
    while (
      !isOver() &&
      !signal.aborted &&
      pace.settled &&
      readings - FIRST_WAITING > (1 + WAITING_PER_SETTLED) * pace.settled()
    )
      await pause(LOOK_MS, signal);
    if (failures.length > 0) throw failures[0];
    signal.throwIfAborted();
    if (isOver()) break;
    readings += Math.max(1, message.readings.length);
    const body = encodeMessage(load, message);
    times[published] = clockNow();
    confirms[published % IN_FLIGHT] = broker
      .publish('readings.new', body, { messageId: message.messageId })
      .catch((error: unknown) => void failures.push(error));
    published++;
  }
  await Promise.all(confirms);
  if (failures.length > 0) throw failures[0];
  return published;
}
