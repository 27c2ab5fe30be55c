import { isRetryable, type MeterErrorCode } from '../errors.js';
import { RunOrigin } from './enums.js';

/** A person waits for an on-demand run: fewer and quicker tries. */
const POLICY: Record<RunOrigin, { attempts: number; firstDelayMs: number; maxDelayMs: number }> = {
  [RunOrigin.ON_DEMAND]: { attempts: 2, firstDelayMs: 1_000, maxDelayMs: 5_000 },
  [RunOrigin.SCHEDULED]: { attempts: 4, firstDelayMs: 10_000, maxDelayMs: 300_000 },
  [RunOrigin.BACKFILL]: { attempts: 4, firstDelayMs: 30_000, maxDelayMs: 600_000 },
};

/** A session that vanished says nothing about the meter: such tries are counted apart, and end here. */
const LOST_TRIES = 10;

/**
 * Milliseconds until the next try of a run that failed, or undefined when it stays failed: the error cannot pass, the
 * attempts are used up, or the next try would start after the deadline. Exponential with full jitter.
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
  const heard = run.attempts - run.lostTries;
  const usedUp = code === 'LOST' ? run.lostTries >= LOST_TRIES : heard >= policy.attempts;
  if (!isRetryable(code) || usedUp) return undefined;
  const ceiling = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** Math.max(0, heard - 1));
  const delay = Math.round(random * ceiling);
  return delay < run.msToDeadline ? delay : undefined;
}
