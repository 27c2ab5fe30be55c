import type { Database } from '../db/database.js';
import { overviewOf, type IngestOverview, type ReportedIngester } from './ingest/overview.js';
import { readIngestStatus } from './ingest/status.js';
import { measureRelayLag } from './relay-lag.js';
import { WITH_STATE } from './worker-registry.js';

/** Most ingesters listed; those that stopped go last. */
const MAX_LISTED = 200;
/** Dead letters are counted as far as this. */
const MAX_COUNTED = 10_000;

export interface Ingestion extends IngestOverview {
  readonly deadLetterBacklog: number;
  readonly relayLagSeconds: number;
  readonly relayLagBatches: number;
}

/** How the pipeline of readings does, as its ingesters report it every 5 s. They serve all organizations. */
export class IngestionService {
  constructor(private readonly database: Database) {}

  async overview(organizationId: string): Promise<Ingestion> {
    const [ingesters, deadLetterBacklog, lags] = await Promise.all([
      this.ingesters(),
      this.deadLetters(organizationId),
      measureRelayLag(this.database.pool),
    ]);
    const live = lags.find(({ target }) => target === 'live')!;
    return {
      ...overviewOf(ingesters),
      deadLetterBacklog,
      relayLagSeconds: live.seconds,
      relayLagBatches: live.batches,
    };
  }

  private async ingesters(): Promise<ReportedIngester[]> {
    const { rows } = await this.database.pool.query<Omit<ReportedIngester, 'status'> & { status: unknown }>(
      `select w.id, w.host, w.pid, w.version, w.started_at as "startedAt", w.last_seen_at as "lastSeenAt", s.state, w.status
       from (select * from worker where kind = 'ingester') w ${WITH_STATE} limit ${MAX_LISTED}`,
    );
    return rows.map((row) => ({ ...row, status: readIngestStatus(row.status) }));
  }

  /** Of this organization, by the index of what is dead in a queue. */
  private async deadLetters(organizationId: string): Promise<number> {
    const { rows } = await this.database.pool.query<{ count: number }>(
      `select count(*)::int as count from (
         select 1 from dead_letter where queue = 'readings.new' and state = 'dead' and organization_id = $1 limit ${MAX_COUNTED}) d`,
      [organizationId],
    );
    return rows[0]!.count;
  }
}
