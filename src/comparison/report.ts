import { z } from 'zod';
import { INGEST_STRATEGIES, ORDERINGS } from '../domain/strategy-advice.js';

const count = z.number().int().min(0);
const Latency = z.object({ p50: z.number(), p95: z.number(), p99: z.number(), max: z.number() });
export type Latency = z.infer<typeof Latency>;

/** What one strategy did with the load. */
export const StrategyReport = z.object({
  strategy: z.enum(INGEST_STRATEGIES),
  /** Published, with duplicates and poison. Fewer than the load where the strategy was measured on a part of it. */
  messages: count,
  readings: count,
  isSample: z.boolean(),
  /** From the first publish to the last commit of the burst. */
  burstSeconds: z.number(),
  /** Readings per second of the burst. */
  throughput: z.number(),
  /** Milliseconds from publishing to commit in the burst: mostly waiting in the queue. */
  burstLatency: Latency.nullable(),
  /** The same while messages come at `pacedRate`; null where there was no such part. */
  pacedLatency: Latency.nullable(),
  /** Readings per second: the settings' rate, or half the throughput where that is less. */
  pacedRate: z.number().nullable(),
  /** Readings committed before one that was published earlier. */
  inversions: z.object({ perMeter: count, overall: count }),
  stored: count,
  duplicates: count,
  revisions: count,
  staged: count,
  deadLettered: count,
  /** Published readings without an outcome when the time was over. */
  unaccounted: count,
  /** Of what is stored: equal digests, equal readings. */
  digest: z.string(),
  /** What is not as expected, in words; empty when all is. */
  differences: z.array(z.string()),
  /** Of all ingesters together. */
  peakMemoryBytes: count,
  cpuSeconds: z.number(),
  /** Seconds spent in each step; batches that are written side by side count each. */
  stepSeconds: z.record(z.string(), z.number()),
});
export type StrategyReport = z.infer<typeof StrategyReport>;

/** What `amr compare-strategies --json` writes. A change that breaks readers raises `version`. */
export const ComparisonReport = z.object({
  version: z.literal(1),
  madeAt: z.iso.datetime(),
  product: z.string(),
  machine: z.object({ cores: count, node: z.string(), postgres: z.string(), broker: z.string() }),
  load: z.object({
    source: z.string(),
    meters: count,
    messages: count,
    readings: count,
    shuffled: count,
    duplicates: count,
    late: count,
    poison: count,
  }),
  settings: z.object({
    ingesters: count,
    perMessage: count,
    seed: count,
    /** Readings per second of the paced part; null: there was none. */
    rate: z.number().nullable(),
    /** After this time the burst ended, whatever was left of the load. */
    burstSeconds: z.number(),
    timeoutSeconds: z.number(),
    /** `AMR_INGEST_…` of the ingesters, where the environment sets them. */
    environment: z.record(z.string(), z.string()),
  }),
  objectives: z.object({
    meters: count,
    intervalSeconds: z.number(),
    /** Readings per second. */
    neededRate: z.number(),
    maxLatencyMs: z.number().nullable(),
    ordering: z.enum(ORDERINGS),
  }),
  strategies: z.array(StrategyReport),
  /** Each strategy stored what was expected, and those that got the same messages have the same digest. */
  statesAgree: z.boolean(),
  /** Half the time the database took to tell its clock: what a latency may be wrong by. */
  clockErrorMs: z.number(),
  advice: z.object({
    strategy: z.enum(INGEST_STRATEGIES).nullable(),
    reason: z.string(),
    verdicts: z.array(
      z.object({
        strategy: z.enum(INGEST_STRATEGIES),
        qualifies: z.boolean(),
        headRoom: z.number(),
        objections: z.array(z.string()),
      }),
    ),
    changes: z.array(z.string()),
  }),
});
export type ComparisonReport = z.infer<typeof ComparisonReport>;

/** Of the paced part where there was one: a burst tells how long the queue was. */
export function judgedLatency(report: StrategyReport): Latency | null {
  return report.pacedLatency ?? report.burstLatency;
}

export const LATENCY_NOTE =
  'Latency: from the call that publishes to the log row of the reading (committed_at, written last in its transaction, the commit follows).';
