import type pg from 'pg';
import { pause } from '../src/retry.js';
import { IngestStep } from '../src/domain/enums.js';
import { startAmr } from '../src/scratch/amr-process.js';
import { BackendUsage } from './process-usage.js';
import type { Scratch } from '../src/scratch/scratch.js';
import { steadyRate, type WrittenBatch } from './steady-rate.js';

const LOOK_EVERY_MS = 250;

export interface IngesterOptions {
  /** Settings of the ingester, beside where it works. */
  env?: Record<string, string>;
  /** Folder for a V8 CPU profile, if one is wanted. */
  profile?: string | undefined;
  withinMs?: number;
}

/** What one ingester did with a backlog. CPU and steps are from its readiness until all was stored. */
export interface StoredBacklog {
  /** Readings per second, after the warm-up. */
  rate: number;
  batches: number;
  readingsPerBatch: number;
  startUpMs: number;
  rssMb: number;
  ingesterCores: number;
  /** Of all its connections together; undefined when PostgreSQL is on another machine. */
  backendCores: number | undefined;
  /** Seconds within a step per second; batches side by side add up. */
  stepShare: Record<IngestStep, number>;
}

/** Starts an ingester on a queue that holds so many readings, and measures it until they are stored. */
export async function storeBacklog(
  scratch: Scratch,
  client: pg.ClientBase,
  readings: number,
  { env = {}, profile, withinMs = 300_000 }: IngesterOptions = {},
): Promise<StoredBacklog> {
  const ingester = await startAmr(['ingester'], {
    env: {
      DATABASE_URL: scratch.databaseUrl,
      AMQP_URL: scratch.amqpUrl,
      AMR_QUEUE_PREFIX: scratch.queuePrefix,
      ...env,
    },
    profile,
  });
  try {
    const readyAt = performance.now();
    const [before, backends] = await Promise.all([ingester.metrics(), BackendUsage.begin(client)]);
    for (let stored = 0; stored < readings;) {
      if (performance.now() - readyAt > withinMs)
        throw new Error(`only ${stored} of ${readings} readings were stored within ${withinMs / 1000} s`);
      await pause(LOOK_EVERY_MS);
      await backends.sample();
      stored = await storedReadings(client);
    }
    const after = await ingester.metrics();
    const seconds = (performance.now() - readyAt) / 1000;
    const perSecond = (series: string) => (after(series) - before(series)) / seconds;
    const share = (step: IngestStep) => perSecond(`amr_ingest_step_seconds_sum{step="${step}"}`);
    const batches = await writtenBatches(client);
    return {
      rate: steadyRate(batches),
      batches: batches.length,
      readingsPerBatch: Math.round(readings / batches.length),
      startUpMs: ingester.startUpMs,
      rssMb: Math.round(after('process_resident_memory_bytes') / 1e6),
      ingesterCores: perSecond('process_cpu_seconds_total'),
      backendCores: backends.seconds === undefined ? undefined : backends.seconds / seconds,
      stepShare: Object.fromEntries(Object.values(IngestStep).map((step) => [step, share(step)])) as Record<
        IngestStep,
        number
      >,
    };
  } finally {
    await ingester.stop();
  }
}

/** Readings committed by ingesters of this database. */
export async function storedReadings(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ n: string }>('select coalesce(sum(reading_count), 0) as n from reading_log');
  return Number(rows[0]!.n);
}

async function writtenBatches(client: pg.ClientBase): Promise<WrittenBatch[]> {
  // A log row is stamped when its transaction begins.
  const { rows } = await client.query<WrittenBatch>(
    `select (extract(epoch from committed_at) * 1000)::float8 as at, reading_count as readings from reading_log`,
  );
  return rows;
}
