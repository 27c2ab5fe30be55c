import { isRetryable, type MeterErrorCode } from '../errors.js';
import { RunOrigin } from './enums.js';

/** A person waits for an on-demand run: fewer and quicker tries. */
const POLICY: Record<RunOrigin, { attempts: number; firstDelayMs: number; maxDelayMs: number }> = {
  [RunOrigin.ON_DEMAND]: { attempts: 2, firstDelayMs: 1_000, maxDelayMs: 5_000 },
  [RunOrigin.SCHEDULED]: { attempts: 4, firstDelayMs: 10_000, maxDelayMs: 300_000 },
  [RunOrigin.BACKFILL]: { attempts: 4, firstDelayMs: 30_000, maxDelayMs: 600_000 },
};

/** A session that vanished says nothing about the meter; its run is tried again this often before it is given up. */
const LOST_ATTEMPTS = 10;

/**
 * Milliseconds until the next try of a run that failed, or undefined when it stays failed: the error cannot pass, the
 * attempts are used up, or the next try would start after the deadline. Exponential with full jitter.
 * @param attempts tries so far, at least 1
 * @param random in [0, 1)
 */
export function retryDelayMs(
  run: { origin: RunOrigin; attempts: number; msToDeadline: number },
  code: MeterErrorCode,
  random: number,
): number | undefined {
  const policy = POLICY[run.origin];
  const attempts = code === 'LOST' ? LOST_ATTEMPTS : policy.attempts;
  if (!isRetryable(code) || run.attempts >= attempts) return undefined;
  const ceiling = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** (run.attempts - 1));
  const delay = Math.round(random * ceiling);
  return delay < run.msToDeadline ? delay : undefined;
}
