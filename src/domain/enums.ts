/** Values are what is stored and sent; the API shows the keys. */

export enum AmrSchedule {
  QUARTERLY = 'quarterly',
  HOURLY = 'hourly',
  DAILY = 'daily',
  WEEKLY = 'weekly',
  MONTHLY = 'monthly',
  YEARLY = 'yearly',
}

/** What happens to slots missed while no scheduler ran. */
export enum CatchUpPolicy {
  SKIP = 'skip',
  LATEST = 'latest',
  ALL = 'all',
}

export enum RunOrigin {
  SCHEDULED = 'scheduled',
  ON_DEMAND = 'on_demand',
  BACKFILL = 'backfill',
}

export enum ReadingOrigin {
  SCHEDULED = 'scheduled',
  ON_DEMAND = 'on_demand',
  BACKFILL = 'backfill',
  PUSH = 'push',
  IMPORT = 'import',
}

export enum TaskRunState {
  PENDING = 'pending',
  DISPATCHED = 'dispatched',
  RUNNING = 'running',
  SUCCEEDED = 'succeeded',
  FAILED = 'failed',
  EXPIRED = 'expired',
  CANCELLED = 'cancelled',
}

/** States a run does not leave. */
export const FINAL_RUN_STATES: ReadonlySet<TaskRunState> = new Set([
  TaskRunState.SUCCEEDED,
  TaskRunState.FAILED,
  TaskRunState.EXPIRED,
  TaskRunState.CANCELLED,
]);

export enum WorkerState {
  ACTIVE = 'active',
  SILENT = 'silent',
  STOPPED = 'stopped',
}

/** The steps every reading goes through in an ingester, in this order. */
export enum IngestStep {
  VALIDATE = 'validate',
  ENRICH = 'enrich',
  STORE = 'store',
  DISPATCH = 'dispatch',
}

/** How an ingester orders its work. */
export enum IngestStrategy {
  SEQUENTIAL = 'sequential',
  ASYNC = 'async',
  HYBRID = 'hybrid',
}

/** Whether a run ended in another way than it was meant to. */
export function isUnsuccessful(state: TaskRunState): boolean {
  return FINAL_RUN_STATES.has(state) && state !== TaskRunState.SUCCEEDED;
}

/** Where the expected time of a session comes from. */
export enum SessionTimeBasis {
  MEASURED = 'measured',
  DEFAULT = 'default',
}

export enum MeterLifeCycle {
  NEW = 'new',
  ACTIVE = 'active',
  LOST = 'lost',
  RETIRED = 'retired',
}

export enum NetworkInterfaceKind {
  TCP = 'tcp',
  SERIAL = 'serial',
}

export enum SeriesKind {
  UNKNOWN = 'unknown',
  CUMULATIVE = 'cumulative',
  INTERVAL = 'interval',
  INSTANTANEOUS = 'instantaneous',
}

/** Which of two values for one key is the current one; first and latest by the instant of collection, then by the message's id. */
export enum RevisionPolicy {
  KEEP_FIRST = 'keep_first',
  TAKE_LATEST = 'take_latest',
}

export enum DeadLetterState {
  DEAD = 'dead',
  /** Put back into its queue; its outcome is not known yet. */
  REDRIVING = 'redriving',
  RESOLVED = 'resolved',
  DISCARDED = 'discarded',
}

/** What an organization may promise of its readings. */
export enum ServiceObjectiveKind {
  LATENCY = 'latency',
  COMPLETENESS = 'completeness',
  LOSS = 'loss',
}

export enum ServiceObjectiveState {
  OK = 'ok',
  WARNING = 'warning',
  CRITICAL = 'critical',
  NO_DATA = 'no_data',
}

/** What an alert is about: a service objective of that kind, or a minute of the account. */
export enum AlertKind {
  LOSS = 'loss',
  LATENCY = 'latency',
  COMPLETENESS = 'completeness',
}

export enum AlertSeverity {
  WARNING = 'warning',
  CRITICAL = 'critical',
}

/** Storage code of an origin in `meter_reading.origin`: append only. */
export const READING_ORIGIN_CODES: readonly ReadingOrigin[] = [
  ReadingOrigin.SCHEDULED,
  ReadingOrigin.ON_DEMAND,
  ReadingOrigin.BACKFILL,
  ReadingOrigin.PUSH,
  ReadingOrigin.IMPORT,
];

/** What a caller of the API may do. Each may do what those before it may. */
export enum Role {
  VIEWER = 'viewer',
  OPERATOR = 'operator',
  ADMIN = 'admin',
}
