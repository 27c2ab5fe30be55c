import pg from 'pg';
import { IngestStep } from '../src/domain/enums.js';
import { publishBacklog } from './backlog.js';
import { STRATEGIES, usualReadings, wholeMessages } from './ingest.js';
import { fmt, machine } from './machine.js';
import { wholeOption } from './options.js';
import { FIRST_AT, QUARTER_HOUR_MS, ReadingPlan } from './reading-plan.js';
import { createScratch } from '../src/scratch/scratch.js';
import { storeBacklog, type StoredBacklog } from './stored-backlog.js';
import { storeMeters } from './stored-meters.js';

const METERS = 1_000;
const steps = Object.values(IngestStep);

/** A core that is taken for more than this has no room for more. */
const FULL_CORE = 0.85;

/**
 * One ingester under each strategy with the same readings, and what it spends its time on. A comparison: it has no bar.
 * `sequential` gets fewer readings, as each of its messages is a transaction.
 */
export async function run(options: Map<string, string>): Promise<void> {
  const parallelism = wholeOption(options, 'parallelism', 2, 1, 64);
  const most = wholeOption(options, 'readings', 300_000, 20_000, 100_000_000);
  console.log(`settings: ${machine()}, parallelism ${parallelism}, ${METERS} meters\n`);
  console.log(
    '| readings in a message | strategy | readings | readings/s | batches | readings in a batch | ' +
      `${steps.map((step) => `${step} s/s`).join(' | ')} | ingester cores | PostgreSQL cores | held up by |`,
  );
  console.log(`| --: | --- ${'| --: '.repeat(6 + steps.length)}| --- |`);
  for (const perMessage of [100, 1]) {
    for (const strategy of STRATEGIES) {
      const readings = wholeMessages(Math.min(most, usualReadings(strategy, perMessage)), perMessage);
      const plan = new ReadingPlan(METERS, perMessage, FIRST_AT, QUARTER_HOUR_MS);
      const scratch = await createScratch('bench');
      const client = new pg.Client({ connectionString: scratch.databaseUrl });
      try {
        await client.connect();
        await storeMeters(client, plan, readings);
        await publishBacklog(scratch, plan, readings);
        const stored = await storeBacklog(scratch, client, readings, {
          env: { AMR_INGEST_STRATEGY: strategy, AMR_INGEST_PARALLELISM: String(parallelism) },
        });
        const cells = [
          perMessage,
          `\`${strategy}\``,
          fmt(readings),
          fmt(stored.rate),
          fmt(stored.batches),
          fmt(stored.readingsPerBatch),
          ...steps.map((step) => stored.stepShare[step].toFixed(2)),
          stored.ingesterCores.toFixed(2),
          stored.backendCores?.toFixed(2) ?? 'elsewhere',
          heldUpBy(stored, strategy === 'sequential' ? 1 : parallelism),
        ];
        console.log(`| ${cells.join(' | ')} |`);
      } finally {
        await client.end();
        await scratch.dispose();
      }
    }
  }
  console.log(
    '\ns/s: seconds within a step per second; batches written side by side add up. `enrich`, `store` and `dispatch` include the ' +
      'wait for the database and for the thread, `validate` is the thread alone. Cores are from readiness until all was stored, ' +
      'readings/s are without the warm-up.',
  );
}

/** The first of the ingester's thread, PostgreSQL's CPU, or the wait between the two that is used up. */
function heldUpBy({ ingesterCores, backendCores, stepShare }: StoredBacklog, writers: number): string {
  if (ingesterCores >= FULL_CORE) return "the ingester's thread";
  if (backendCores !== undefined && backendCores >= FULL_CORE * writers) return 'the CPU of its PostgreSQL connections';
  const written = stepShare.store + stepShare.dispatch;
  if (written >= FULL_CORE * writers) return 'round trips and commits: writers wait for PostgreSQL';
  return 'nothing alone: thread, writers and machine in turn';
}
