import type pg from 'pg';
import { Gauge } from 'prom-client';
import { BURN_WINDOWS, burnRateOf, burnSeverityOf, type BurnRates, type Share } from '../domain/burn-rate.js';
import { AlertKind, ServiceObjectiveKind } from '../domain/enums.js';
import { metrics, type Logger } from '../telemetry.js';
import { setAlerts } from './alert-book.js';
import { sharesOf } from './objective-shares.js';
import { DEFAULT_OBJECTIVES, setObjectives } from './objectives.js';

/** Objectives with a budget to burn; a loss has none. */
const BURNING = [
  { kind: ServiceObjectiveKind.LATENCY, alert: AlertKind.LATENCY, what: 'readings are stored too late' },
  { kind: ServiceObjectiveKind.COMPLETENESS, alert: AlertKind.COMPLETENESS, what: 'scheduled runs do not succeed' },
] as const;

const worstBurn = new Gauge({
  name: 'amr_objective_burn_rate',
  help: 'How fast the organization that does worst spends its tolerated errors, 1 being just as fast as tolerated; by the leader, 0 elsewhere.',
  labelNames: ['objective', 'window'],
  registers: [metrics],
});
const openAlerts = new Gauge({
  name: 'amr_alerts_open',
  help: 'Alerts that are not resolved; by the leader, 0 elsewhere.',
  labelNames: ['kind', 'severity'],
  registers: [metrics],
});

/** Burn rates of all windows, by target. */
export function burnRatesOf(shares: Readonly<Record<(typeof BURN_WINDOWS)[number], Share>>, target: number): BurnRates {
  return Object.fromEntries(BURN_WINDOWS.map((window) => [window, burnRateOf(shares[window], target)])) as BurnRates;
}

/** Looks at latency and completeness of every organization, and opens or resolves their alerts. */
export async function watchObjectives(pool: pg.Pool, log: Logger): Promise<void> {
  const objectives = await setObjectives(pool);
  for (const { kind, alert, what } of BURNING) {
    const usual = DEFAULT_OBJECTIVES.find((objective) => objective.kind === kind)!;
    const shares = await sharesOf(pool, kind, BURN_WINDOWS);
    const watched = [...shares].map(([organization, share]) => {
      const { target } = objectives.get(organization)?.get(kind) ?? usual;
      const rates = burnRatesOf(share, Number(target));
      return { organization, target, rates, severity: burnSeverityOf(rates) };
    });
    for (const window of BURN_WINDOWS) {
      const worst = watched.reduce((most, { rates }) => Math.max(most, rates[window] ?? 0), 0);
      worstBurn.set({ objective: kind, window: window.replace(' ', '_') }, worst);
    }
    const burning = watched.filter(({ severity }) => severity !== undefined);
    await setAlerts(
      pool,
      alert,
      `select * from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
         as t (organization_id, subject, severity, message, details)`,
      [
        burning.map(({ organization }) => organization),
        burning.map(() => 'objective'),
        burning.map(({ severity }) => severity),
        burning.map(({ target }) => `${what}: more than the objective of ${target} tolerates`),
        burning.map(({ rates, target }) => JSON.stringify({ target, burnRates: rounded(rates) })),
      ],
      log,
    );
  }
  await countOpenAlerts(pool);
}

async function countOpenAlerts(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ kind: string; severity: string; open: number }>(
    'select kind, severity, count(*)::int as open from alert where resolved_at is null group by 1, 2',
  );
  openAlerts.reset();
  for (const { kind, severity, open } of rows) openAlerts.set({ kind, severity }, open);
}

/** To one digit, so that an alert is not written again for each look. */
function rounded(rates: BurnRates): Record<string, number | null> {
  return Object.fromEntries(
    Object.entries(rates).map(([window, rate]) => [window, rate === null ? null : Math.round(rate * 10) / 10]),
  );
}

/** What a process shows that does not lead. */
export function resetObjectiveMetrics(): void {
  worstBurn.reset();
  openAlerts.reset();
}
