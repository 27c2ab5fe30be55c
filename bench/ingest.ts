import pg from 'pg';
import { publishBacklog } from './backlog.js';
import { bareConsumer } from './bare-consumer.js';
import { fmt, machine } from './machine.js';
import { choiceOption, wholeOption } from './options.js';
import { rawCopy } from './raw-copy.js';
import { FIRST_AT, QUARTER_HOUR_MS, ReadingPlan } from './reading-plan.js';
import { createScratch } from '../src/scratch/scratch.js';
import { storeBacklog, type StoredBacklog } from './stored-backlog.js';
import { storeMeters } from './stored-meters.js';

const METERS = 1_000;
export const STRATEGIES = ['sequential', 'async', 'hybrid'] as const;
type StrategyName = (typeof STRATEGIES)[number];

/** Bars to pass with `hybrid`: a share of raw COPY for messages of 100 readings, of the bare consumer for those of one. */
const COPY_BAR = 0.4;
const BARE_BAR = 0.6;

/** `sequential` commits each message alone: as many readings would take it many minutes. */
export function usualReadings(strategy: StrategyName, perMessage: number): number {
  return strategy === 'sequential' ? Math.min(100_000, 5_000 * perMessage) : 300_000;
}

/**
 * Readings stored per second by one real `amr ingester` from a filled quorum queue, without its warm-up. In the same run and into
 * the same empty partitioned, keyed table: raw COPY of equal rows over one connection, and a bare consumer that does no more than
 * parse and upsert.
 */
export async function run(options: Map<string, string>): Promise<void> {
  const strategy = choiceOption(options, 'strategy', 'hybrid', STRATEGIES);
  const parallelism = wholeOption(options, 'parallelism', 2, 1, 64);
  const sizes = options.has('per-message') ? [wholeOption(options, 'per-message', 1, 1, 10_000)] : [1, 100];
  console.log(`settings: ${machine()}, strategy ${strategy}, parallelism ${parallelism}, ${METERS} meters`);
  for (const perMessage of sizes) {
    const readings = wholeOption(options, 'readings', usualReadings(strategy, perMessage), 1_000, 100_000_000);
    const plan = new ReadingPlan(METERS, perMessage, FIRST_AT, QUARTER_HOUR_MS);
    const scratch = await createScratch('bench');
    const client = new pg.Client({ connectionString: scratch.databaseUrl });
    try {
      await client.connect();
      await storeMeters(client, plan, readings);
      const copy = await rawCopy(client, plan, readings);
      await publishBacklog(scratch, plan, readings);
      const bare = await bareConsumer(scratch, wholeMessages(readings, perMessage));
      await publishBacklog(scratch, plan, readings);
      const stored = await storeBacklog(scratch, client, wholeMessages(readings, perMessage), {
        env: { AMR_INGEST_STRATEGY: strategy, AMR_INGEST_PARALLELISM: String(parallelism) },
        profile: options.get('profile'),
      });
      console.log(
        `${String(perMessage).padStart(4)} reading(s) a message, ${readings} readings: ${fmt(stored.rate)} readings/s; ` +
          `${stored.readingsPerBatch} readings a batch, start-up ${stored.startUpMs} ms, ingester ${stored.rssMb} MB`,
      );
      console.log(
        `     raw COPY ${fmt(copy)} rows/s, ratio ${(stored.rate / copy).toFixed(2)}; ` +
          `bare consumer ${fmt(bare)} readings/s, ratio ${(stored.rate / bare).toFixed(2)}`,
      );
      if (strategy === 'hybrid') judge(perMessage, stored, copy, bare);
    } finally {
      await client.end();
      await scratch.dispose();
    }
  }
}

/** The last message of a plan is never cut. */
export function wholeMessages(readings: number, perMessage: number): number {
  return Math.ceil(readings / perMessage) * perMessage;
}

function judge(perMessage: number, { rate }: StoredBacklog, copy: number, bare: number): void {
  const bars: Record<number, [beside: string, ratio: number, bar: number]> = {
    1: ['the bare consumer', rate / bare, BARE_BAR],
    100: ['raw COPY', rate / copy, COPY_BAR],
  };
  const judged = bars[perMessage];
  if (!judged) return;
  const [beside, ratio, bar] = judged;
  console.log(`     bar: ratio to ${beside} at least ${bar}: ${ratio >= bar ? 'ok' : 'BELOW THE BAR'}`);
  if (ratio < bar) process.exitCode = 1;
}
