import { cpus } from 'node:os';
import { seededRandom } from '../domain/seeded-random.js';
import { adviseStrategy, INGEST_STRATEGIES, type IngestStrategy, type Objectives } from '../domain/strategy-advice.js';
import type { Servers } from '../scratch/scratch.js';
import { productVersion } from '../version.js';
import { disturb, type DisturbanceShares } from './disturb.js';
import { countReadings, type Load, type LoadMessage, type ReadingSource } from './load.js';
import { toMessages } from './messages.js';
import { judgedLatency, type ComparisonReport } from './report.js';
import { runStrategy, type StrategyMeasurement } from './run-strategy.js';

/** The paced part takes this long, unless that were more than a fifth of the load. */
const PACED_SECONDS = 5;
const PACED_SHARE = 0.2;

export interface Comparison {
  source: ReadingSource;
  series: string;
  unit: string;
  perMessage: number;
  seed: number;
  shares: DisturbanceShares;
  /** Readings per second of the paced part; undefined: all is one burst. */
  rate: number | undefined;
  ingesters: number;
  /** The burst ends after this time, with less of the load where a strategy is slow. */
  burstSeconds: number;
  /** For each strategy. */
  timeoutMs: number;
  environment: Readonly<Record<string, string>>;
  objectives: Objectives & { meters: number; intervalSeconds: number };
  keep: boolean;
}

/** Hears how far a comparison is. */
export interface ComparisonObserver {
  started(strategy: IngestStrategy, readings: number): void;
  settled(readings: number): void;
  ended(measurement: StrategyMeasurement): void;
}

/** Runs the strategies one after another on equal messages and says which to choose. */
export async function compare(
  comparison: Comparison,
  servers: Servers,
  observer: ComparisonObserver,
): Promise<ComparisonReport> {
  const load = buildLoad(comparison);
  const { burst, paced } = split(load.messages, comparison.rate);
  const measurements: StrategyMeasurement[] = [];
  for (const strategy of INGEST_STRATEGIES) {
    observer.started(strategy, countReadings(load.messages));
    const run = { ...comparison, strategy, load, burst, paced, pacedSeconds: PACED_SECONDS };
    const measurement = await runStrategy(run, servers, (readings) => observer.settled(readings));
    observer.ended(measurement);
    measurements.push(measurement);
  }
  return reportOf(comparison, load, measurements);
}

/** The messages of a comparison: equal for equal settings. */
export function buildLoad({ source, series, unit, perMessage, seed, shares }: Comparison): Load {
  const random = seededRandom(seed);
  const messages = toMessages(source, perMessage, random);
  return { meters: source.meters, series, unit, ...disturb(messages, shares, source.meters, random) };
}

function split(messages: readonly LoadMessage[], rate: number | undefined) {
  if (rate === undefined) return { burst: messages, paced: [] };
  const perMessage = countReadings(messages) / messages.length;
  const wanted = Math.ceil((rate * PACED_SECONDS) / perMessage);
  const count = Math.min(wanted, Math.floor(messages.length * PACED_SHARE));
  return { burst: messages.slice(0, messages.length - count), paced: messages.slice(messages.length - count) };
}

function reportOf(comparison: Comparison, load: Load, measurements: readonly StrategyMeasurement[]): ComparisonReport {
  const strategies = measurements.map(({ report }) => report);
  const whole = strategies.filter(({ isSample }) => !isSample);
  const advice = adviseStrategy(
    strategies.map((report) => ({
      strategy: report.strategy,
      throughput: report.throughput,
      p99Ms: judgedLatency(report)?.p99,
      isComplete: report.differences.length === 0,
    })),
    comparison.objectives,
  );
  const { meters, intervalSeconds, neededRate, maxLatencyMs, ordering } = comparison.objectives;
  return {
    version: 1,
    madeAt: new Date().toISOString(),
    product: productVersion(),
    machine: { cores: cpus().length, node: process.version, ...measurements[0]!.versions },
    load: {
      source: comparison.source.description,
      meters: load.meters.length,
      messages: load.messages.length,
      readings: countReadings(load.messages),
      ...load.disturbances,
    },
    settings: {
      ingesters: comparison.ingesters,
      perMessage: comparison.perMessage,
      seed: comparison.seed,
      rate: comparison.rate ?? null,
      burstSeconds: comparison.burstSeconds,
      timeoutSeconds: comparison.timeoutMs / 1000,
      environment: { ...comparison.environment },
    },
    objectives: { meters, intervalSeconds, neededRate, maxLatencyMs: maxLatencyMs ?? null, ordering },
    strategies,
    statesAgree:
      strategies.every(({ differences }) => differences.length === 0) &&
      new Set(whole.map(({ digest }) => digest)).size <= 1,
    clockErrorMs: Math.max(...measurements.map(({ clockErrorMs }) => clockErrorMs)),
    advice: { ...advice, strategy: advice.strategy ?? null },
  };
}
