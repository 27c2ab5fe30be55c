import { IngestStep, WorkerState, type IngestStrategy } from '../../domain/enums.js';
import type { IngestStatus } from './status.js';
import type { StepStatus } from './step.js';

/** An ingester as it last reported itself. */
export interface ReportedIngester {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly state: WorkerState;
  readonly startedAt: Date;
  readonly lastSeenAt: Date;
  /** Null where this version cannot read what it reported. */
  readonly status: IngestStatus | null;
}

export interface IngestError {
  readonly message: string;
  readonly at: Date;
}

/** A step of one ingester. */
export interface StepOverview extends Omit<StepStatus, 'lastError'> {
  readonly lastError: IngestError | null;
  /** 0 to 1, of the time its ingester spent in all steps; null before it spent any. */
  readonly shareOfTime: number | null;
}

export interface IngesterOverview extends Omit<ReportedIngester, 'status'> {
  readonly strategy: IngestStrategy | null;
  readonly isWorking: boolean;
  readonly readingsPerSecond: number;
  readonly steps: readonly StepOverview[];
}

/** The ingestion graph over all ingesters. */
export interface IngestOverview {
  readonly backlog: number | null;
  readonly strategy: IngestStrategy | null;
  readonly readingsPerSecond: number;
  readonly slowestStep: IngestStep | null;
  readonly lastError: (IngestError & { readonly step: IngestStep; readonly ingester: string }) | null;
  readonly ingesters: readonly IngesterOverview[];
}

/**
 * What ingesters report, put together. Rates, backlog and the slowest step are those of the active ones: what a silent or
 * stopped one said last is no longer so. Its last error still counts.
 */
export function overviewOf(reported: readonly ReportedIngester[]): IngestOverview {
  const ingesters = reported.map(ingesterOf);
  const active = reported
    .filter(({ state }) => state === WorkerState.ACTIVE)
    .sort((a, b) => b.lastSeenAt.getTime() - a.lastSeenAt.getTime())
    .flatMap(({ status }) => status ?? []);
  const errors = ingesters.flatMap(({ id, steps }) =>
    steps.flatMap(({ step, lastError }) => (lastError ? { step, ...lastError, ingester: id } : [])),
  );
  return {
    backlog: active.find(({ backlog }) => backlog !== null)?.backlog ?? null,
    strategy: active[0]?.strategy ?? null,
    readingsPerSecond: active.reduce((sum, { readingsPerSecond }) => sum + readingsPerSecond, 0),
    slowestStep: slowestOf(active.flatMap(({ steps }) => steps)),
    lastError: errors.reduce<(typeof errors)[number] | null>(
      (last, error) => (last === null || error.at > last.at ? error : last),
      null,
    ),
    ingesters,
  };
}

function ingesterOf({ status, ...worker }: ReportedIngester): IngesterOverview {
  const isActive = worker.state === WorkerState.ACTIVE;
  const steps = status?.steps ?? [];
  const total = steps.reduce((sum, { totalMs }) => sum + totalMs, 0);
  return {
    ...worker,
    strategy: status?.strategy ?? null,
    isWorking: isActive && status?.isWorking === true,
    readingsPerSecond: isActive ? (status?.readingsPerSecond ?? 0) : 0,
    steps: steps.map(({ lastError, ...step }) => ({
      ...step,
      lastError: lastError && { message: lastError.message, at: new Date(lastError.at) },
      shareOfTime: total > 0 ? step.totalMs / total : null,
    })),
  };
}

/** The step most time was spent in; null where none was. Of equals the earlier one in the graph. */
function slowestOf(steps: readonly StepStatus[]): IngestStep | null {
  let slowest: IngestStep | null = null;
  let most = 0;
  for (const name of Object.values(IngestStep)) {
    const spent = steps.reduce((sum, { step, totalMs }) => sum + (step === name ? totalMs : 0), 0);
    if (spent > most) [slowest, most] = [name, spent];
  }
  return slowest;
}
