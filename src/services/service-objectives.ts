import { z } from 'zod';
import { inTransaction, type Database } from '../db/database.js';
import { BURN_WINDOWS, burnSeverityOf, complianceOf, type BurnRates, type Share } from '../domain/burn-rate.js';
import { AlertKind, ServiceObjectiveKind, ServiceObjectiveState } from '../domain/enums.js';
import { canonicalDecimal } from '../domain/decimal.js';
import { InputError } from '../errors.js';
import { recordAudit } from './audit.js';
import { enumeration, parseInput, whole } from './input.js';
import { burnRatesOf } from './objective-watch.js';
import { sharesOf } from './objective-shares.js';
import { DEFAULT_OBJECTIVES, setObjectives, type Objective } from './objectives.js';

const MONTH = '30 days';
const NO_RATES = Object.fromEntries(BURN_WINDOWS.map((window) => [window, null])) as BurnRates;
const NOTHING: Share = { good: 0, total: 0 };

const targetRule = 'must be a decimal from 0.000001 to 0.999999 with up to six decimal places, or 1 for LOSS';
const Input = z.object({
  kind: enumeration(ServiceObjectiveKind),
  target: z
    .string({ error: targetRule })
    .regex(/^(0?\.\d{1,6}|1(\.0{1,6})?)$/, { error: targetRule })
    .transform(canonicalDecimal),
  maxLatencyMs: whole(1, 86_400_000).nullish(),
});
export type SetServiceObjective = z.input<typeof Input>;

/** An objective and how it is kept. The last 30 days are read only when they are asked for. */
export class ServiceObjective {
  readonly kind: ServiceObjectiveKind;
  readonly target: string;
  readonly maxLatencyMs: number | null;
  readonly burnRate5m: number | null;
  readonly burnRate30m: number | null;
  readonly burnRate1h: number | null;
  readonly burnRate6h: number | null;
  readonly compliance1h: number | null;
  readonly compliance6h: number | null;

  constructor(
    objective: Objective,
    shares: Readonly<Record<(typeof BURN_WINDOWS)[number], Share>>,
    rates: BurnRates,
    readonly state: ServiceObjectiveState,
    private readonly loadMonth: () => Promise<Share>,
  ) {
    this.kind = objective.kind;
    this.target = objective.target;
    this.maxLatencyMs = objective.maxLatencyMs;
    this.burnRate5m = rates['5 minutes'];
    this.burnRate30m = rates['30 minutes'];
    this.burnRate1h = rates['1 hour'];
    this.burnRate6h = rates['6 hours'];
    this.compliance1h = complianceOf(shares['1 hour']);
    this.compliance6h = complianceOf(shares['6 hours']);
  }

  get compliance30d(): Promise<number | null> {
    return this.loadMonth().then(complianceOf);
  }
}

/** What an organization promises of its readings, and how it keeps it. */
export class ServiceObjectiveService {
  constructor(private readonly database: Database) {}

  /** All kinds there are, those nobody has set with their defaults. */
  async list(organizationId: string): Promise<ServiceObjective[]> {
    const set = (await setObjectives(this.database.pool, organizationId)).get(organizationId);
    return Promise.all(DEFAULT_OBJECTIVES.map((usual) => this.judge(organizationId, set?.get(usual.kind) ?? usual)));
  }

  /** Ingesters and alerts follow within a minute. Throws `BAD_USER_INPUT`. */
  async set(organizationId: string, input: SetServiceObjective): Promise<ServiceObjective> {
    const { kind, target, maxLatencyMs } = parseInput(Input, input);
    if ((kind === ServiceObjectiveKind.LOSS) !== (target === '1') || Number(target) === 0) {
      throw new InputError('BAD_USER_INPUT', `input.target ${targetRule}.`, 'input.target');
    }
    if (maxLatencyMs != null && kind !== ServiceObjectiveKind.LATENCY) {
      throw new InputError(
        'BAD_USER_INPUT',
        'input.maxLatencyMs belongs to LATENCY only; leave it out.',
        'input.maxLatencyMs',
      );
    }
    const usual = DEFAULT_OBJECTIVES.find((objective) => objective.kind === kind)!;
    const objective = await inTransaction(this.database.pool, async (client) => {
      const { rows: known } = await client.query<Objective>(
        `select kind, target, max_latency_ms as "maxLatencyMs" from service_objective
         where organization_id = $1 and kind = $2 for update`,
        [organizationId, kind],
      );
      const { rows } = await client.query<Objective>(
        `insert into service_objective (organization_id, kind, target, max_latency_ms) values ($1, $2, $3, coalesce($4::int, $5::int))
       on conflict (organization_id, kind) do update set target = excluded.target,
         max_latency_ms = coalesce($4::int, service_objective.max_latency_ms), updated_at = now()
       returning kind, target, max_latency_ms as "maxLatencyMs"`,
        [organizationId, kind, target, maxLatencyMs ?? null, usual.maxLatencyMs],
      );
      await recordAudit(client, {
        organization: organizationId,
        action: 'setServiceObjective',
        subjectType: 'ServiceObjective',
        subjectId: kind,
        before: known[0] ?? usual,
        after: rows[0]!,
      });
      return rows[0]!;
    });
    return this.judge(organizationId, objective);
  }

  private async judge(organizationId: string, objective: Objective): Promise<ServiceObjective> {
    const { kind, target } = objective;
    const none = Object.fromEntries(BURN_WINDOWS.map((window) => [window, NOTHING])) as Record<
      (typeof BURN_WINDOWS)[number],
      Share
    >;
    const { pool } = this.database;
    const shares = (await sharesOf(pool, kind, BURN_WINDOWS, organizationId)).get(organizationId) ?? none;
    const isLoss = kind === ServiceObjectiveKind.LOSS;
    const rates = isLoss ? NO_RATES : burnRatesOf(shares, Number(target));
    const severity = isLoss ? await this.lossSeverity(organizationId) : burnSeverityOf(rates);
    const quiet = shares['6 hours'].total > 0 ? ServiceObjectiveState.OK : ServiceObjectiveState.NO_DATA;
    return new ServiceObjective(
      objective,
      shares,
      rates,
      severity === undefined ? quiet : STATES[severity],
      async () => (await sharesOf(pool, kind, [MONTH], organizationId)).get(organizationId)?.[MONTH] ?? NOTHING,
    );
  }

  /** A loss has no budget: any alert about one violates the objective. */
  private async lossSeverity(organizationId: string): Promise<'critical' | undefined> {
    const { rowCount } = await this.database.pool.query(
      'select from alert where organization_id = $1 and kind = $2 and resolved_at is null limit 1',
      [organizationId, AlertKind.LOSS],
    );
    return rowCount ? 'critical' : undefined;
  }
}

const STATES = { critical: ServiceObjectiveState.CRITICAL, warning: ServiceObjectiveState.WARNING } as const;
