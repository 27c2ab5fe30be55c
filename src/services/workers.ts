import type { Database } from '../db/database.js';
import type { WorkerState } from '../domain/enums.js';
import { WITH_STATE } from './worker-registry.js';

/** Most workers listed; those that stopped go last. */
const MAX_LISTED = 1_000;

/** A row of `worker`, as the API shows it. */
export interface WorkerRow {
  readonly id: string;
  readonly kind: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly queues: string[];
  readonly maxSessions: number;
  readonly openSessions: number;
  readonly startedAt: Date;
  readonly lastSeenAt: Date;
  readonly state: WorkerState;
}

/** Processes that carry out sessions or store readings. They serve all organizations. */
export class WorkerService {
  constructor(private readonly database: Database) {}

  /** Those that work first, then the silent and the stopped ones; of each the newest first. */
  async list(): Promise<WorkerRow[]> {
    const { rows } = await this.database.pool.query<WorkerRow>(
      `select w.id, w.kind, w.host, w.pid, w.version, w.queues, w.max_sessions as "maxSessions", w.open_sessions as "openSessions",
         w.started_at as "startedAt", w.last_seen_at as "lastSeenAt", s.state
       from worker w
       ${WITH_STATE}
       limit ${MAX_LISTED}`,
    );
    return rows;
  }
}
