import type pg from 'pg';
import { Counter } from 'prom-client';
import type { ResultMessage } from '../messaging/contracts.js';
import { metrics } from '../telemetry.js';
import { LOSS_KEPT } from './loss-minutes.js';

const ignored = new Counter({
  name: 'amr_published_reports_ignored_total',
  help: 'Minutes in reports of publishers that were not booked: of an unknown organization, or too far from now.',
  registers: [metrics],
});

type PublishedMessage = Extract<ResultMessage, { type: 'published' }>;

/**
 * Books what publishers report as confirmed, in the caller's transaction. Totals only grow and a minute stays closed, so
 * reports may come twice and in any order. Minutes of unknown organizations, older than what is kept or more than a day
 * ahead are ignored and counted.
 */
export async function bookPublished(
  client: Pick<pg.ClientBase, 'query'>,
  messages: readonly PublishedMessage[],
): Promise<void> {
  const minutes = messages.flatMap(({ publisher, minutes }) => minutes.map((minute) => ({ publisher, ...minute })));
  if (minutes.length === 0) return;
  // One row for each key, in one order everywhere: bookers of the same minutes wait for each other and do not lock up.
  const { rows } = await client.query<{ accepted: number; told: number }>(
    `with told as (
       select organization_id, date_trunc('minute', minute) as minute, publisher, max(readings) as published,
         bool_or(closed) as closed
       from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::bigint[], $5::boolean[])
         as t (organization_id, minute, publisher, readings, closed)
       group by 1, 2, 3
     ), accepted as (
       select told.* from told join organization o on o.id = told.organization_id
       where minute > now() - interval '${LOSS_KEPT}' and minute < now() + interval '1 day'
     ), booked as (
       insert into loss_minute (organization_id, minute, publisher, published, closed, reported_at)
       select organization_id, minute, publisher, published, closed, now() from accepted
       order by organization_id, minute, publisher
       on conflict on constraint loss_minute_once do update set
         published = greatest(loss_minute.published, excluded.published),
         closed = loss_minute.closed or excluded.closed,
         reported_at = case when excluded.published > loss_minute.published or loss_minute.reported_at is null
           then now() else loss_minute.reported_at end)
     select (select count(*) from accepted)::int as accepted, (select count(*) from told)::int as told`,
    [
      minutes.map(({ organization }) => organization),
      minutes.map(({ minute }) => new Date(minute)),
      minutes.map(({ publisher }) => publisher),
      minutes.map(({ readings }) => readings),
      minutes.map(({ closed }) => closed),
    ],
  );
  const { accepted, told } = rows[0]!;
  if (told > accepted) ignored.inc(told - accepted);
}
