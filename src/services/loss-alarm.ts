import type pg from 'pg';
import { Gauge } from 'prom-client';
import { AlertKind } from '../domain/enums.js';
import { metrics, type Logger } from '../telemetry.js';
import { setAlerts } from './alert-book.js';
import { LOSS_KEPT } from './loss-minutes.js';

const gauge = (name: string, help: string) =>
  new Gauge({ name, help: `${help}; by the leader, 0 elsewhere.`, registers: [metrics] });
const inFlight = gauge('amr_loss_in_flight', 'Readings published and without an outcome so far');
const overdue = gauge('amr_loss_in_flight_overdue', 'Of these, readings for longer than AMR_LOSS_ALARM_SECONDS');
const surplus = gauge('amr_loss_negative', 'Outcomes beyond what their publishers said was all they published');

/** How the subject of an alert about a minute is written. */
export const MINUTE_SUBJECT = `to_char(minute at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"')`;

const UNBALANCED = `in_flight <> 0 and minute > now() - interval '${LOSS_KEPT}'`;
// By when the count last rose, on the database's clock: the minute is on the publisher's, which may be wrong.
const isOverdue = (parameter: string) => `reported_at < now() - ${parameter} * interval '1 millisecond'`;

/**
 * One alert for each minute and organization with readings that have no outcome for `lossAlarmMs`, or with more outcomes than
 * were published; resolved when the minute balances again. Outcomes must have been folded just before.
 */
export async function watchLoss(pool: pg.Pool, lossAlarmMs: number, log: Logger): Promise<void> {
  const { rows } = await pool.query<{ in_flight: string; overdue: string; surplus: string }>(
    `select coalesce(sum(in_flight) filter (where in_flight > 0), 0) as in_flight,
       coalesce(sum(in_flight) filter (where in_flight > 0 and ${isOverdue('$1')}), 0) as overdue,
       coalesce(-sum(in_flight) filter (where in_flight < 0), 0) as surplus
     from loss_minute where ${UNBALANCED}`,
    [lossAlarmMs],
  );
  inFlight.set(Number(rows[0]!.in_flight));
  overdue.set(Number(rows[0]!.overdue));
  surplus.set(Number(rows[0]!.surplus));
  await setAlerts(
    pool,
    AlertKind.LOSS,
    `select organization_id, ${MINUTE_SUBJECT} as subject, 'critical' as severity,
       concat_ws('; ', case when missing > 0 then missing || ' published readings of the minute ' || ${MINUTE_SUBJECT} || ' have no outcome' end,
         case when surplus > 0 then surplus || ' more readings than were published in the minute ' || ${MINUTE_SUBJECT} || ' came out' end) as message,
       jsonb_build_object('missing', missing, 'surplus', surplus, 'publishers', to_jsonb(publishers[1:10])) as details
     from (
       select organization_id, minute, coalesce(sum(in_flight) filter (where in_flight > 0), 0) as missing,
         coalesce(-sum(in_flight) filter (where in_flight < 0), 0) as surplus, array_agg(publisher order by publisher) as publishers
       from loss_minute where ${UNBALANCED} and (in_flight < 0 or ${isOverdue('$2')}) group by 1, 2
     ) minute`,
    [lossAlarmMs],
    log,
  );
}

/** What a process shows that does not lead. */
export function resetLossMetrics(): void {
  for (const metric of [inFlight, overdue, surplus]) metric.set(0);
}
