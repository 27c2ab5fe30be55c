import type pg from 'pg';
import type { AlertKind, AlertSeverity } from '../domain/enums.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../telemetry.js';

/** A row of `alert`: something that needs a person, until it is resolved. */
export interface Alert {
  readonly id: string;
  readonly organizationId: string;
  readonly kind: AlertKind;
  /** What it is about, within its kind: there is one open alert of each. */
  readonly subject: string;
  readonly severity: AlertSeverity;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly startedAt: Date;
  readonly lastSeenAt: Date;
  readonly resolvedAt: Date | null;
}

/** Tells others of an alert that opened, changed its severity or was resolved. Rejects when it must be told again. */
export type Announce = (alert: Alert) => Promise<void>;

export const ALERT_COLUMNS = `id, organization_id as "organizationId", kind, subject, severity, message, details,
  started_at as "startedAt", last_seen_at as "lastSeenAt", resolved_at as "resolvedAt"`;

/** Alerts announced in one go, and written to the log one by one. */
const BATCH = 100;
const LOGGED = 10;

/** A UUIDv7 of now, made where the rows are; PostgreSQL has a function for it from 18 on. */
const NEW_ID = `(lpad(to_hex(floor(extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7' ||
  substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid`;

/**
 * Makes the open alerts of `kind` those that `wanted` selects: opens, updates and resolves, in one statement. What opens
 * and what is resolved goes to the log.
 * @param wanted a select of organization_id, subject, severity, message and details (jsonb), one row for each subject;
 * its parameters begin at $2
 */
export async function setAlerts(
  pool: pg.Pool,
  kind: AlertKind,
  wanted: string,
  values: readonly unknown[],
  log: Logger,
): Promise<void> {
  const { rows } = await pool.query<Alert & { isNew: boolean }>(
    `with wanted as materialized (${wanted}), raised as (
       insert into alert (id, organization_id, kind, subject, severity, message, details)
       select ${NEW_ID}, organization_id, $1, subject, severity, message, details from wanted order by organization_id, subject
       on conflict (organization_id, kind, subject) where resolved_at is null do update set
         severity = excluded.severity, message = excluded.message, details = excluded.details, last_seen_at = now(),
         unannounced = alert.unannounced or alert.severity <> excluded.severity
         where (alert.severity, alert.message, alert.details) is distinct from (excluded.severity, excluded.message, excluded.details)
           or alert.last_seen_at < now() - interval '1 minute'
       returning *, xmax = 0 as is_new
     ), resolved as (
       update alert a set resolved_at = now(), unannounced = true
       where a.kind = $1 and a.resolved_at is null
         and not exists (select from wanted w where w.organization_id = a.organization_id and w.subject = a.subject)
       returning a.*, false as is_new)
     select ${ALERT_COLUMNS}, is_new as "isNew" from (select * from raised where is_new union all select * from resolved) changed`,
    [kind, ...values],
  );
  for (const { id, organizationId, subject, severity, message, isNew } of rows.slice(0, LOGGED)) {
    const told = { alert: id, organization: organizationId, kind, subject, severity };
    if (isNew) log.error(told, `alert: ${message}`);
    else log.info(told, `alert resolved: ${message}`);
  }
  if (rows.length > LOGGED) log.error({ kind, alerts: rows.length }, 'more alerts opened or were resolved at once');
}

/**
 * Announces what changed since it was last announced, oldest first, and marks it as told afterwards: at least once, also
 * when this process dies in between. One that cannot be told is tried again at the next call, and those behind it.
 */
export async function announceAlerts(
  pool: pg.Pool,
  announce: Announce,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { rows } = await pool.query<Alert>(
    `select ${ALERT_COLUMNS} from alert where unannounced order by id limit $1`,
    [BATCH],
  );
  const told: Alert[] = [];
  try {
    for (const alert of rows) {
      if (signal.aborted) break;
      await announce(alert);
      told.push(alert);
    }
  } catch (error) {
    log.warn({ err: messageOf(error) }, 'an alert could not be announced; it is tried again');
  }
  if (told.length === 0) return;
  // Only what is still as it was told.
  await pool.query(
    `update alert a set unannounced = false from unnest($1::uuid[], $2::text[], $3::boolean[]) as t (id, severity, is_resolved)
     where a.id = t.id and a.severity = t.severity and (a.resolved_at is not null) = t.is_resolved`,
    [told.map(({ id }) => id), told.map(({ severity }) => severity), told.map(({ resolvedAt }) => resolvedAt !== null)],
  );
}

/** Deletes alerts resolved more than 400 days ago. */
export async function dropOldAlerts(pool: pg.Pool): Promise<void> {
  await pool.query(
    `delete from alert where id = any(array(
       select id from alert where resolved_at < now() - interval '400 days' order by resolved_at limit 5000))`,
  );
}
