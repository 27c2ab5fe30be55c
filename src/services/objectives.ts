import type pg from 'pg';
import { ServiceObjectiveKind } from '../domain/enums.js';

/** What an organization promises; the defaults hold where it has said nothing. */
export interface Objective {
  readonly kind: ServiceObjectiveKind;
  /** Share that is to be good, 0 to 1, as a decimal. */
  readonly target: string;
  /** Of `latency`: longest time from publishing to commit that is on time. */
  readonly maxLatencyMs: number | null;
}

export const DEFAULT_OBJECTIVES: readonly Objective[] = [
  { kind: ServiceObjectiveKind.LATENCY, target: '0.99', maxLatencyMs: 60_000 },
  { kind: ServiceObjectiveKind.COMPLETENESS, target: '0.98', maxLatencyMs: null },
  { kind: ServiceObjectiveKind.LOSS, target: '1', maxLatencyMs: null },
];

const DEFAULT_LATENCY_MS = DEFAULT_OBJECTIVES.find(({ maxLatencyMs }) => maxLatencyMs !== null)!.maxLatencyMs!;
const REFRESH_MS = 60_000;

/** The objectives that organizations have set themselves, by organization and kind. */
export async function setObjectives(
  client: Pick<pg.Pool, 'query'>,
  organizationId?: string,
): Promise<Map<string, Map<ServiceObjectiveKind, Objective>>> {
  const { rows } = await client.query<Objective & { organization: string }>(
    `select organization_id as organization, kind, target, max_latency_ms as "maxLatencyMs" from service_objective
     where $1::uuid is null or organization_id = $1`,
    [organizationId ?? null],
  );
  const objectives = new Map<string, Map<ServiceObjectiveKind, Objective>>();
  for (const { organization, ...objective } of rows) {
    const own = objectives.get(organization) ?? new Map<ServiceObjectiveKind, Objective>();
    objectives.set(organization, own.set(objective.kind, objective));
  }
  return objectives;
}

/**
 * The latency that ingesters hold readings to, from memory. What somebody changes counts within a minute or two; while the
 * database cannot be read, what was known stays.
 */
export class LatencyObjectives {
  private byOrganization: ReadonlyMap<string, number> = new Map();
  private readAt = -Infinity;

  constructor(private readonly pool: Pick<pg.Pool, 'query'>) {}

  /** Longest time from publishing to commit that is on time, in milliseconds. Reads again behind the back of the caller. */
  readonly latencyObjectiveMs = (organizationId: string): number => {
    if (performance.now() - this.readAt > REFRESH_MS) void this.refresh();
    return this.byOrganization.get(organizationId) ?? DEFAULT_LATENCY_MS;
  };

  /** Reads them now; never rejects. */
  async refresh(): Promise<void> {
    this.readAt = performance.now();
    try {
      const { rows } = await this.pool.query<{ organization: string; ms: number }>(
        `select organization_id as organization, max_latency_ms as ms from service_objective
         where kind = '${ServiceObjectiveKind.LATENCY}' and max_latency_ms is not null`,
      );
      this.byOrganization = new Map(rows.map(({ organization, ms }) => [organization, ms]));
    } catch {
      // The batch that asks will meet the same database, and say so.
    }
  }
}
