import type pg from 'pg';
import type { Config } from '../config.js';
import type { Leadership } from '../db/leader.js';
import { messageOf } from '../errors.js';
import { pause } from '../retry.js';
import { sideBySide } from '../side-by-side.js';
import type { Logger } from '../telemetry.js';
import { announceAlerts, dropOldAlerts, type Announce } from './alert-book.js';
import { resetLossMetrics, watchLoss } from './loss-alarm.js';
import { dropOldMinutes, foldOutcomes } from './loss-minutes.js';
import { resetObjectiveMetrics, watchObjectives } from './objective-watch.js';

const FOLD_EVERY_MS = 1_000;
const OBJECTIVES_EVERY_MS = 10_000;
const RETENTION_EVERY_MS = 60_000;

/**
 * Keeps the account of published readings, watches it and the objectives, and announces alerts, for as long as this process
 * leads. Each by itself: one that fails is tried again and holds up no other.
 */
export async function accountsWhileLeading(
  pool: pg.Pool,
  { lossAlarmMs }: Pick<Config, 'lossAlarmMs'>,
  announce: Announce,
  log: Logger,
  { signal }: Leadership,
): Promise<void> {
  const every =
    (ms: number, duty: string, work: (signal: AbortSignal) => Promise<void>) => async (over: AbortSignal) => {
      while (!over.aborted) {
        await work(over).catch((error: unknown) =>
          log.error({ duty, err: messageOf(error) }, 'a duty failed; it is tried again'),
        );
        await pause(ms, over);
      }
    };
  try {
    await sideBySide(
      signal,
      every(FOLD_EVERY_MS, 'watch the account', async (over) => {
        await foldOutcomes(pool, over);
        // A fold that was cut short would leave readings in flight that have arrived.
        if (!over.aborted) await watchLoss(pool, lossAlarmMs, log);
      }),
      every(OBJECTIVES_EVERY_MS, 'watch objectives', () => watchObjectives(pool, log)),
      every(FOLD_EVERY_MS, 'announce alerts', (over) => announceAlerts(pool, announce, log, over)),
      every(RETENTION_EVERY_MS, 'drop old minutes and alerts', async (over) => {
        await dropOldMinutes(pool, over);
        await dropOldAlerts(pool);
      }),
    );
  } finally {
    resetLossMetrics();
    resetObjectiveMetrics();
  }
}
