import type pg from 'pg';

/** Sessions that each segment may open now; segments without a limit are not in it. */
export type Permits = ReadonlyMap<string, number>;

/**
 * What the limits of segments leave. A session that no poller has begun counts as new until it can no longer begin, and
 * one second more from its begin: so no second ever sees more sessions begin than the limit, however long they waited.
 */
export async function segmentPermits(client: Pick<pg.ClientBase, 'query'>, startByMs: number): Promise<Permits> {
  const { rows } = await client.query<{ id: string; permits: number }>(
    `select g.id, greatest(0, least(
         g.max_open_sessions - coalesce(used.open, 0),
         g.max_new_sessions_per_second - coalesce(used.fresh, 0)))::int as permits
     from segment g
     left join (
       select i.segment_id,
         count(*) filter (where s.closed_at is null) as open,
         count(*) filter (where s.created_at > now() - interval '1 second' or s.started_at > now() - interval '1 second'
           or s.state = 'dispatched' and s.created_at > now() - $1 * interval '1 millisecond') as fresh
       from (
         select * from poll_session where closed_at is null
         union all
         select * from poll_session where closed_at > now() - interval '1 second'
       ) s
       join network_interface i on i.id = s.network_interface_id
       where i.segment_id is not null
       group by i.segment_id
     ) used on used.segment_id = g.id
     where g.max_open_sessions is not null or g.max_new_sessions_per_second is not null`,
    [startByMs],
  );
  return new Map(rows.map(({ id, permits }) => [id, permits]));
}
