import type pg from 'pg';
import { Counter } from 'prom-client';
import type { Config } from '../config.js';
import type { Leadership } from '../db/leader.js';
import { dropLogPartitionsBefore, ensureUpcomingPartitions } from '../db/partitions.js';
import { messageOf } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { pause } from '../retry.js';
import { countDeadLetters, forgetDeadLetterCounts, republishForgotten } from './dead-letter-upkeep.js';
import { metrics, type Logger } from '../telemetry.js';
import { forgetMessages } from './ingest/repeats.js';
import { storeOfStaged } from './ingest/staged-store.js';
import { forgetGoneWorkers } from './worker-registry.js';
import {
  dropClosedDeadLetters,
  dropOldAuditEntries,
  dropOldInvocationKeys,
  dropOldReadings,
  dropOldRuns,
  dropOldSessions,
  dropOldSlots,
} from './retention.js';
import { SlotSettlement } from './settlement.js';
import { expireStaged } from './staged-expiry.js';
import { promoteStaged } from './staged-promotion.js';
import { promoteOnNews } from './staged-promotion-news.js';

const EVERY_MS = 60_000;
const LOG_KEPT_MS = 7 * 86_400_000;

const unexchangedBatches = new Counter({
  name: 'amr_relay_given_up_batches_total',
  help: 'Batches that left the log before the topic exchange readings had confirmed them.',
  registers: [metrics],
});

/** Once a minute, for as long as this process leads: each duty by itself, so that one that fails holds up no other. */
export async function upkeepWhileLeading(
  pool: pg.Pool,
  broker: Pick<Broker, 'publish' | 'listen'>,
  {
    runsKeptDays,
    sessionsKeptDays,
    auditKeptDays,
    readingsKeptDays,
    readingsExchange,
  }: Pick<Config, 'runsKeptDays' | 'sessionsKeptDays' | 'auditKeptDays' | 'readingsKeptDays' | 'readingsExchange'>,
  log: Logger,
  { signal }: Leadership,
): Promise<void> {
  const settlement = new SlotSettlement(pool);
  const duties: Record<string, () => Promise<void>> = {
    'make partitions ahead': () => withClient(pool, (client) => ensureUpcomingPartitions(client)),
    'drop old log partitions': () =>
      withClient(pool, async (client) => {
        const dropped = await dropLogPartitionsBefore(client, new Date(Date.now() - LOG_KEPT_MS));
        const givenUp = dropped.reduce((sum, { unexchanged }) => sum + unexchanged, 0);
        if (!readingsExchange || givenUp === 0) return;
        unexchangedBatches.inc(givenUp);
        log.error(
          { batches: givenUp, days: dropped.map(({ name }) => name) },
          'batches that the topic exchange readings did not confirm within 7 days are given up; they stay readable in the API',
        );
      }),
    'store staged readings of new meters': async () => {
      // Afresh at each look: it keeps rows of meters and series, and hears of no changes.
      const { enrich, write } = storeOfStaged(pool);
      await promoteStaged(pool, enrich, write, { signal });
    },
    'discard expired staged readings': async () => {
      await expireStaged(pool, log, signal);
    },
    'forget messages that cannot come again': () => forgetMessages(pool),
    'publish forgotten redrives': () => republishForgotten(pool, broker, log, signal),
    'count dead letters': () => countDeadLetters(pool),
    'forget workers that are gone': () => forgetGoneWorkers(pool),
    // Before runs are dropped: the counts of their slots stay.
    'settle slots whose runs have ended': () => settlement.settle(signal),
    'drop old runs': () => dropOldRuns(pool, runsKeptDays, log),
    'drop old slots': () => dropOldSlots(pool, runsKeptDays, signal),
    'drop old invocation keys': () => dropOldInvocationKeys(pool, runsKeptDays, signal),
    'drop old audit entries': () => dropOldAuditEntries(pool, auditKeptDays, signal),
    'drop closed dead letters': () => dropClosedDeadLetters(pool, signal),
    ...(readingsKeptDays !== undefined && {
      'drop old readings': () => dropOldReadings(pool, readingsKeptDays, log, signal),
    }),
    'drop old sessions': () => dropOldSessions(pool, sessionsKeptDays, signal),
  };
  const news = promoteOnNews(pool, broker, log, signal);
  while (!signal.aborted) {
    for (const [duty, work] of Object.entries(duties)) {
      await work().catch((error: unknown) => {
        log.error({ duty, err: messageOf(error) }, 'a duty failed; it is tried again in a minute');
      });
    }
    await pause(EVERY_MS, signal);
  }
  await news;
  forgetDeadLetterCounts();
}

async function withClient(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect();
  try {
    await work(client);
  } finally {
    client.release();
  }
}
