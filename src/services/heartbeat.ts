import { hostname } from 'node:os';
import { uuidAt } from '../domain/uuid.js';
import { messageOf } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { encode, type ResultMessage } from '../messaging/contracts.js';
import type { Logger } from '../telemetry.js';
import { productVersion } from '../version.js';

const EVERY_MS = 10_000;
const CONFIRM_TIMEOUT_MS = 10_000;
/** A stop is not held up for longer by a broker that is away. */
const GOODBYE_TIMEOUT_MS = 2_000;

export interface HeartbeatOptions {
  queues: readonly string[];
  /** Over all queues. */
  maxSessions: number;
  openSessions: () => number;
  /** @default 10000 */
  everyMs?: number;
}

/**
 * Tells the scheduler at once, and then regularly, that this poller works and how much it has in hand. One that is not
 * confirmed yet holds back the next: they do not pile up while the broker is away.
 * @returns stop: says goodbye, waits a moment for the confirm, and never rejects
 */
export function startHeartbeat(
  broker: Pick<Broker, 'publish'>,
  options: HeartbeatOptions,
  log: Logger,
): () => Promise<void> {
  const worker = uuidAt();
  const beat = async (confirmTimeoutMs: number, stopped?: true): Promise<void> => {
    const message: ResultMessage = {
      type: 'heartbeat',
      worker,
      kind: 'poller',
      host: hostname(),
      pid: process.pid,
      version: productVersion(),
      queues: [...options.queues],
      max_sessions: options.maxSessions,
      open_sessions: options.openSessions(),
      stopped,
    };
    await broker.publish('amr.results', encode(message), { confirmTimeoutMs }).catch((error: unknown) => {
      log.debug({ err: messageOf(error) }, 'a heartbeat was not confirmed by the broker');
    });
  };

  let isOutstanding = false;
  const tick = async (): Promise<void> => {
    if (isOutstanding) return;
    isOutstanding = true;
    await beat(CONFIRM_TIMEOUT_MS);
    isOutstanding = false;
  };
  void tick();
  const timer = setInterval(() => void tick(), options.everyMs ?? EVERY_MS);
  return async () => {
    clearInterval(timer);
    await beat(GOODBYE_TIMEOUT_MS, true);
  };
}
