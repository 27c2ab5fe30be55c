import { isRetryable, type MeterErrorCode } from '../errors.js';
import { RunOrigin } from './enums.js';

/** A person waits for an on-demand run: fewer tries, and no long waits between them. */
const POLICY: Record<RunOrigin, { attempts: number; maxDelayMs: number }> = {
  [RunOrigin.ON_DEMAND]: { attempts: 2, maxDelayMs: 5_000 },
  [RunOrigin.SCHEDULED]: { attempts: 4, maxDelayMs: 300_000 },
  [RunOrigin.BACKFILL]: { attempts: 4, maxDelayMs: 600_000 },
};

/** A session that vanished says nothing about the meter: such tries are counted apart, and end here. */
const LOST_TRIES = 10;

/**
 * The first wait is up to this, the next up to twice as much, and so on. Noise on a line passes quickly; a modem that is
 * off, or a meter that is busy with itself, takes longer; a session that vanished is no reason to wait.
 */
function firstDelayMs(code: MeterErrorCode): number {
  switch (code) {
    case 'LOST':
    case 'NO_WORKER':
      return 2_000;
    case 'CHECKSUM':
    case 'GARBAGE':
    case 'PROTOCOL':
    case 'CONNECTION_LOST':
      return 5_000;
    case 'CONNECT_REFUSED':
    case 'UNREACHABLE':
      return 30_000;
    default:
      return 15_000;
  }
}

/**
 * Milliseconds until the next try of a run that failed, or undefined when it stays failed: the error cannot pass, the
 * attempts are used up, or the next try would start after the deadline. Exponential with full jitter, by error.
 * @param random in [0, 1)
 */
export function retryDelayMs(
  run: {
    origin: RunOrigin;
    /** Tries so far, this one included. */
    attempts: number;
    /** Of these, how many vanished. */
    lostTries: number;
    msToDeadline: number;
  },
  code: MeterErrorCode,
  random: number,
): number | undefined {
  const policy = POLICY[run.origin];
  const lost = code === 'LOST';
  const tries = lost ? run.lostTries : run.attempts - run.lostTries;
  const limit = code === 'NO_WORKER' ? Infinity : lost ? LOST_TRIES : policy.attempts;
  if (!isRetryable(code) || tries >= limit) return undefined;
  const ceiling = Math.min(policy.maxDelayMs, firstDelayMs(code) * 2 ** Math.max(0, tries - 1));
  const delay = Math.round(random * ceiling);
  return delay < run.msToDeadline ? delay : undefined;
}
