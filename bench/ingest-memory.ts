import pg from 'pg';
import { pause } from '../src/retry.js';
import { startAmr } from '../src/scratch/amr-process.js';
import { publishBacklog } from './backlog.js';
import { fmt, machine } from './machine.js';
import { wholeOption } from './options.js';
import { residentMemory } from './process-usage.js';
import { FIRST_AT, QUARTER_HOUR_MS, ReadingPlan } from './reading-plan.js';
import { createScratch } from '../src/scratch/scratch.js';
import { storedReadings } from './stored-backlog.js';
import { storeMeters } from './stored-meters.js';

const METERS = 1_000;
const BAR_MB = 300;
const SAMPLE_EVERY_MS = 1_000;
/** Points of the time series that is printed. */
const POINTS = 20;

/**
 * Memory of one ingester that is started on a backlog of millions of messages of one reading, until it has drained them or the
 * time is up. The peak is the kernel's own: no sample misses it.
 */
export async function run(options: Map<string, string>): Promise<void> {
  const readings = wholeOption(options, 'readings', 5_000_000, 10_000, 100_000_000);
  const seconds = wholeOption(options, 'seconds', 300, 10, 3_000);
  console.log(
    `settings: ${machine()}, ${fmt(readings)} messages of one reading, ${METERS} meters, at most ${seconds} s`,
  );
  const plan = new ReadingPlan(METERS, 1, FIRST_AT, QUARTER_HOUR_MS);
  const scratch = await createScratch('bench');
  const client = new pg.Client({ connectionString: scratch.databaseUrl });
  try {
    await client.connect();
    await storeMeters(client, plan, readings);
    const publishing = performance.now();
    await publishBacklog(scratch, plan, readings);
    console.log(`published with confirms in ${Math.round((performance.now() - publishing) / 1000)} s`);
    const ingester = await startAmr(['ingester'], {
      env: { DATABASE_URL: scratch.databaseUrl, AMQP_URL: scratch.amqpUrl, AMR_QUEUE_PREFIX: scratch.queuePrefix },
      profile: options.get('profile'),
    });
    const startedAt = performance.now();
    const elapsed = () => (performance.now() - startedAt) / 1000;
    const samples: number[] = [];
    let peak = 0;
    let stored = 0;
    while (stored < readings && elapsed() < seconds) {
      await pause(SAMPLE_EVERY_MS);
      const { nowMb, peakMb } = await residentMemory(ingester.pid);
      samples.push(Math.round(nowMb));
      peak = Math.round(peakMb);
      stored = await storedReadings(client);
    }
    const took = elapsed();
    await ingester.stop();
    const step = Math.ceil(samples.length / POINTS);
    console.log(
      `resident MB every ${(step * SAMPLE_EVERY_MS) / 1000} s: ${samples.filter((_, index) => index % step === 0).join(' ')}`,
    );
    console.log(
      `stored ${fmt(stored)} of ${fmt(readings)} in ${Math.round(took)} s, ${fmt(stored / took)} readings/s, start-up ${ingester.startUpMs} ms; ` +
        `peak ${peak} MB (bar ${BAR_MB} MB) ${peak <= BAR_MB ? 'ok' : 'ABOVE THE BAR'}`,
    );
    if (peak > BAR_MB) process.exitCode = 1;
  } finally {
    await client.end();
    await scratch.dispose();
  }
}
