/** How an ingester orders its work, from the strongest promise of order to the weakest. */
export const INGEST_STRATEGIES = ['sequential', 'hybrid', 'async'] as const;
export type IngestStrategy = (typeof INGEST_STRATEGIES)[number];

/** The order of commits that the readers of committed readings need. */
export const ORDERINGS = ['none', 'per-meter', 'arrival'] as const;
export type Ordering = (typeof ORDERINGS)[number];

/** What one strategy did under the load. */
export interface StrategyFigures {
  strategy: IngestStrategy;
  /** Readings per second. */
  throughput: number;
  /** From publishing to commit, 99 of 100 readings, in milliseconds. Undefined when none was measured. */
  p99Ms: number | undefined;
  /** Everything was stored as expected, in time. */
  isComplete: boolean;
}

export interface Objectives {
  /** Readings per second that arrive in operation: meters ÷ interval. */
  neededRate: number;
  maxLatencyMs?: number | undefined;
  ordering: Ordering;
  /** Ingesters that worked at the same time. */
  ingesters: number;
}

export interface StrategyVerdict {
  strategy: IngestStrategy;
  qualifies: boolean;
  /** Measured throughput ÷ needed rate. */
  headRoom: number;
  /** Why it does not qualify: empty when it does. */
  objections: string[];
}

export interface Advice {
  /** Undefined when none qualifies. */
  strategy: IngestStrategy | undefined;
  /** The choice, or that there is none, in a sentence. */
  reason: string;
  verdicts: StrategyVerdict[];
  /** What to change when none qualifies. */
  changes: string[];
}

/** Least head-room: after an outage a backlog must shrink, and meters report in bursts. */
export const LEAST_HEAD_ROOM = 2;
/** With this much, more throughput is of no use, and order decides. */
export const AMPLE_HEAD_ROOM = 4;

/**
 * Which strategy to choose for these objectives. Order is given up only for what it buys: `hybrid` before `async` unless
 * its head-room is short, and `sequential`, which no second ingester makes faster, only where nothing else will do.
 */
export function adviseStrategy(figures: readonly StrategyFigures[], objectives: Objectives): Advice {
  const verdicts = figures.map((figure) => judge(figure, objectives));
  const fit = (strategy: IngestStrategy) =>
    verdicts.find((verdict) => verdict.strategy === strategy && verdict.qualifies);
  const [hybrid, parallel, sequential] = [fit('hybrid'), fit('async'), fit('sequential')];
  const isFaster = parallel && hybrid && hybrid.headRoom < AMPLE_HEAD_ROOM && parallel.headRoom > hybrid.headRoom;
  const chosen = (isFaster ? parallel : hybrid) ?? parallel ?? sequential;
  if (!chosen) {
    return {
      strategy: undefined,
      reason: 'No strategy meets these objectives with the settings that were measured.',
      verdicts,
      changes: changesFor(verdicts, figures, objectives),
    };
  }
  const room = `${formatFactor(chosen.headRoom)} times the needed rate`;
  const reason = {
    hybrid: `hybrid: it keeps the order per meter and has ${room}.`,
    async: `async: it promises no order, none is needed, and it has ${room}${hybrid ? ', more than hybrid' : ''}.`,
    sequential: `sequential: ${objectives.ordering === 'arrival' ? 'only it keeps the order of arrival' : 'only it meets the objectives'}, and it has ${room}; a second ingester would not make it faster.`,
  }[chosen.strategy];
  return { strategy: chosen.strategy, reason, verdicts, changes: [] };
}

function judge({ strategy, throughput, p99Ms, isComplete }: StrategyFigures, objectives: Objectives): StrategyVerdict {
  const { neededRate, maxLatencyMs, ordering, ingesters } = objectives;
  const headRoom = throughput / neededRate;
  const objections: string[] = [];
  if (!isComplete) objections.push('not everything was stored as expected');
  const disorder = orderObjection(strategy, ordering, ingesters);
  if (disorder !== undefined) objections.push(disorder);
  if (headRoom < LEAST_HEAD_ROOM)
    objections.push(`head-room ${formatFactor(headRoom)} is less than ${LEAST_HEAD_ROOM}`);
  if (maxLatencyMs !== undefined) {
    if (p99Ms === undefined) objections.push('no latency was measured');
    else if (p99Ms > maxLatencyMs) objections.push(`p99 ${Math.round(p99Ms)} ms is more than ${maxLatencyMs} ms`);
  }
  return { strategy, qualifies: objections.length === 0, headRoom, objections };
}

function orderObjection(strategy: IngestStrategy, ordering: Ordering, ingesters: number): string | undefined {
  if (ordering === 'none' || strategy === 'sequential') return undefined;
  if (strategy === 'async') return 'it commits in no order';
  if (ordering === 'arrival') return 'it keeps the order of each meter only';
  // Readings of one meter may go to either of two ingesters.
  return ingesters > 1 ? `it keeps the order per meter within one ingester, not over ${ingesters}` : undefined;
}

function changesFor(
  verdicts: readonly StrategyVerdict[],
  figures: readonly StrategyFigures[],
  { neededRate, maxLatencyMs, ordering, ingesters }: Objectives,
): string[] {
  const changes: string[] = [];
  const inOrder = figures.filter((figure) => orderObjection(figure.strategy, ordering, ingesters) === undefined);
  const fastest = Math.max(0, ...inOrder.map(({ throughput }) => throughput));
  const room = fastest / neededRate;
  if (room < LEAST_HEAD_ROOM && fastest > 0) {
    const factor = LEAST_HEAD_ROOM / room;
    if (ordering === 'none')
      changes.push(`About ${Math.ceil(ingesters * factor)} ingesters, on more cores; measure with --ingesters.`);
    changes.push('More readings in one message (--per-message): a message costs more than a reading.');
    changes.push(`An interval ${formatFactor(factor)} times as long.`);
    if (ordering === 'arrival')
      changes.push('The order per meter instead of arrival, if it suffices: hybrid is open then.');
  }
  const ordered = new Set(inOrder.map(({ strategy }) => strategy));
  const p99s = figures.flatMap(({ strategy, p99Ms }) => (ordered.has(strategy) && p99Ms !== undefined ? [p99Ms] : []));
  if (maxLatencyMs !== undefined && p99s.length > 0 && Math.min(...p99s) > maxLatencyMs) {
    changes.push(
      'Smaller batches (AMR_INGEST_BATCH), a shorter window (AMR_INGEST_WINDOW_MS), or a lower --rate if it is above the needed one.',
    );
  }
  if (ordering === 'per-meter' && ingesters > 1 && !changes.length)
    changes.push('One ingester: the order per meter holds within one.');
  if (verdicts.some(({ objections }) => objections.some((objection) => objection.startsWith('not everything'))))
    changes.push('Find out first why not everything was stored: --keep leaves the databases for a look.');
  return changes;
}

/** Two digits that count: 0.45, 1.3, 87. */
export function formatFactor(factor: number): string {
  if (!Number.isFinite(factor)) return 'unlimited';
  return factor >= 10 ? Math.round(factor).toLocaleString('en') : String(Number(factor.toPrecision(2)));
}
