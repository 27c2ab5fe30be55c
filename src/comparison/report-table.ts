import { formatFactor } from '../domain/strategy-advice.js';
import { judgedLatency, LATENCY_NOTE, type ComparisonReport, type Latency, type StrategyReport } from './report.js';

/** One row of the table: what it is, and its cell for a strategy. */
interface Row {
  head: string;
  cell: (report: StrategyReport) => string;
}

/** The figures as rows: a head, then one cell per strategy. Shared by terminal and HTML. */
export function figureRows(report: ComparisonReport): string[][] {
  return rowsFor(report).map(({ head, cell }) => [head, ...report.strategies.map(cell)]);
}

function rowsFor(report: ComparisonReport): Row[] {
  const { rate } = report.settings;
  const headRoom = new Map(report.advice.verdicts.map((verdict) => [verdict.strategy, verdict.headRoom]));
  return [
    { head: 'readings published', cell: (of) => whole(of.readings) + (of.isSample ? ' (a part)' : '') },
    { head: 'readings/s in the burst', cell: (of) => whole(of.throughput) },
    { head: 'head-room', cell: (of) => formatFactor(headRoom.get(of.strategy) ?? 0) },
    ...(rate === null
      ? []
      : [
          latencyRow(
            `latency at ${whole(rate)} readings/s`,
            (of) => of.pacedLatency,
            (of) => slower(of, rate),
          ),
        ]),
    latencyRow('latency in the burst', (of) => of.burstLatency),
    { head: 'inversions per meter', cell: (of) => whole(of.inversions.perMeter) },
    { head: 'inversions overall', cell: (of) => whole(of.inversions.overall) },
    { head: 'stored', cell: (of) => whole(of.stored) },
    { head: 'duplicates', cell: (of) => whole(of.duplicates) },
    { head: 'revisions', cell: (of) => whole(of.revisions) },
    { head: 'staged', cell: (of) => whole(of.staged) },
    { head: 'dead-lettered', cell: (of) => whole(of.deadLettered) },
    { head: 'as expected', cell: (of) => (of.differences.length === 0 ? 'yes' : 'NO') },
    { head: 'memory, most', cell: (of) => `${whole(of.peakMemoryBytes / 1e6)} MB` },
    { head: 'CPU', cell: (of) => `${of.cpuSeconds.toFixed(1)} s` },
    { head: 'time per step', cell: steps },
    { head: 'qualifies', cell: (of) => verdict(report, of) },
  ];
}

/** What the figures cannot say: the choice, differences, and what the figures mean. */
export function remarks(report: ComparisonReport): string[] {
  const { objectives, strategies, advice, statesAgree } = report;
  const sampled = strategies.filter(({ isSample }) => isSample);
  const wrong = strategies.filter(({ differences }) => differences.length > 0);
  return [
    `Needed: ${formatFactor(objectives.neededRate)} readings/s (${whole(objectives.meters)} meters every ${whole(objectives.intervalSeconds)} s), ` +
      `order: ${objectives.ordering}, p99 at most: ${objectives.maxLatencyMs === null ? 'any' : `${whole(objectives.maxLatencyMs)} ms`}.`,
    (advice.strategy === null ? '' : 'Choose ') + advice.reason,
    ...advice.changes.map((change) => `  - ${change}`),
    agreement(statesAgree, sampled.length > 0),
    ...wrong.map(({ strategy, differences }) => `${strategy}: ${differences.join('; ')}.`),
    ...sampled.map(
      ({ strategy, messages }) =>
        `${strategy} was measured on ${whole(messages)} of ${whole(report.load.messages)} messages: what it took in ${report.settings.burstSeconds} s; --burst-seconds gives it longer.`,
    ),
    `${LATENCY_NOTE} The clocks of this process and the database are compared to within ${report.clockErrorMs.toFixed(1)} ms.`,
  ];
}

function agreement(statesAgree: boolean, isPartial: boolean): string {
  if (!statesAgree) return 'The final states are not all as expected.';
  return isPartial
    ? 'The final state of each strategy is what its messages demand: all readings, each once, of the right value.'
    : 'The final state is the same under every strategy, and as expected.';
}

export function describeLoad({ load, settings, machine }: ComparisonReport): string {
  const disturbed = (['shuffled', 'duplicates', 'late', 'poison'] as const)
    .filter((name) => load[name] > 0)
    .map((name) => `${whole(load[name])} ${name}`);
  const environment = Object.entries(settings.environment).map(([name, value]) => `${name}=${value}`);
  return [
    `Load: ${load.source}; ${whole(load.readings)} readings of ${whole(load.meters)} meters in ${whole(load.messages)} messages (${settings.perMessage} a message)`,
    ...disturbed,
    `${settings.ingesters} ${settings.ingesters === 1 ? 'ingester' : 'ingesters'} on ${machine.cores} cores`,
    `Node ${machine.node}, PostgreSQL ${machine.postgres}, ${machine.broker}`,
    ...environment,
  ].join(', ');
}

/** The latency by which a strategy is judged, and the largest of a report: for scales. */
export function latencies(report: ComparisonReport): { strategy: string; latency: Latency }[] {
  return report.strategies.flatMap((of) => {
    const latency = judgedLatency(of);
    return latency ? [{ strategy: of.strategy, latency }] : [];
  });
}

function latencyRow(
  head: string,
  of: (report: StrategyReport) => Latency | null,
  note: (report: StrategyReport) => string = () => '',
): Row {
  return {
    head: `${head}, ms: p50 / p95 / p99 / max`,
    cell: (report) => {
      const latency = of(report);
      return latency
        ? [latency.p50, latency.p95, latency.p99, latency.max].map(whole).join(' / ') + note(report)
        : 'none';
    },
  };
}

function slower({ pacedRate }: StrategyReport, rate: number): string {
  return pacedRate !== null && pacedRate < rate ? ` (at ${whole(pacedRate)}/s)` : '';
}

function steps({ stepSeconds }: StrategyReport): string {
  const all = Object.values(stepSeconds).reduce((sum, seconds) => sum + seconds, 0);
  if (all === 0) return 'unknown';
  return Object.entries(stepSeconds)
    .map(([step, seconds]) => `${step} ${Math.round((100 * seconds) / all)} %`)
    .join(', ');
}

function verdict(report: ComparisonReport, { strategy }: StrategyReport): string {
  const found = report.advice.verdicts.find((candidate) => candidate.strategy === strategy);
  if (!found) return 'unknown';
  return found.qualifies ? 'yes' : `no: ${found.objections.join('; ')}`;
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}
