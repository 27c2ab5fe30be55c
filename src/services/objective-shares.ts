import type pg from 'pg';
import type { Share } from '../domain/burn-rate.js';
import { AlertKind, ServiceObjectiveKind } from '../domain/enums.js';
import { MINUTE_SUBJECT } from './loss-alarm.js';

/** What is counted for an objective: a row source with its organization, its time, and how much of it was good. */
interface Counted {
  readonly from: string;
  readonly organization: string;
  readonly at: string;
  readonly good: string;
  readonly total: string;
}

const COUNTED: Readonly<Record<ServiceObjectiveKind, Counted>> = {
  /** Readings by the minute of their publishing; folded ones, so a second behind. */
  [ServiceObjectiveKind.LATENCY]: {
    from: 'loss_minute',
    organization: 'organization_id',
    at: 'minute',
    good: 'on_time',
    total: 'timed',
  },
  /** Scheduled runs by when all of their slot had ended. Cancelled ones do not count: somebody wanted it so. */
  [ServiceObjectiveKind.COMPLETENESS]: {
    from: 'task_slot s join amr_task t on t.id = s.amr_task_id',
    organization: 't.organization_id',
    at: 's.settled_at',
    good: 's.succeeded_count',
    total: 's.succeeded_count + s.failed_count + s.expired_count',
  },
  /** Readings of publishers that report, by the minute of their publishing; those with an open alarm are not good. */
  [ServiceObjectiveKind.LOSS]: {
    from: `(select *, stored + duplicate + revised + staged + dead_lettered + discarded + in_flight as expected,
        case when in_flight <> 0 and exists (
          select from alert a where a.organization_id = loss_minute.organization_id and a.kind = '${AlertKind.LOSS}'
            and a.subject = ${MINUTE_SUBJECT} and a.resolved_at is null) then abs(in_flight) else 0 end as lost
      from loss_minute where publisher is not null) l`,
    organization: 'organization_id',
    at: 'minute',
    good: 'greatest(expected - lost, 0)',
    total: 'expected',
  },
};

/**
 * How much was good in each of `windows` (intervals that end now), by organization; one without rows is left out.
 * @param organizationId only of this one; of all where undefined
 */
export async function sharesOf<W extends string>(
  client: Pick<pg.Pool, 'query'>,
  kind: ServiceObjectiveKind,
  windows: readonly W[],
  organizationId?: string,
): Promise<Map<string, Record<W, Share>>> {
  const { from, organization, at, good, total } = COUNTED[kind];
  const sums = windows.map((_, index) => {
    const inWindow = `filter (where ${at} > now() - ($2::interval[])[${index + 1}])`;
    return `coalesce(sum(${good}) ${inWindow}, 0)::float8 as good_${index}, coalesce(sum(${total}) ${inWindow}, 0)::float8 as total_${index}`;
  });
  const { rows } = await client.query<Record<string, number> & { organization: string }>(
    `select ${organization} as organization, ${sums.join(', ')} from ${from}
     where ${at} > now() - (select max(w) from unnest($2::interval[]) w) and ($1::uuid is null or ${organization} = $1)
     group by 1`,
    [organizationId ?? null, windows],
  );
  return new Map(
    rows.map((row) => [
      row.organization,
      Object.fromEntries(
        windows.map((window, index) => [window, { good: row[`good_${index}`]!, total: row[`total_${index}`]! }]),
      ) as Record<W, Share>,
    ]),
  );
}
