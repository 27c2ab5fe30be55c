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

/** Storage code of an origin in `meter_reading.origin`: append only. */
export const READING_ORIGIN_CODES: readonly ReadingOrigin[] = [
  ReadingOrigin.SCHEDULED,
  ReadingOrigin.ON_DEMAND,
  ReadingOrigin.BACKFILL,
  ReadingOrigin.PUSH,
  ReadingOrigin.IMPORT,
];
