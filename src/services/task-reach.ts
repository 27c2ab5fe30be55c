import type pg from 'pg';
import type { SegmentLoad } from '../domain/task-plan.js';

/** What a task would be carried out on. */
export interface Reach {
  /** Meters reached, also those left out. */
  readonly meters: number;
  readonly retired: number;
  readonly withoutInterface: number;
  readonly credentialsRejected: number;
  /** The interface with most of the other meters. */
  readonly longestInterface: { readonly id: string; readonly name: string; readonly meters: number } | null;
  /** Limited segments: the one with most meters for each session that it may have open, and for each it may begin in a second. */
  readonly segments: readonly (SegmentLoad & { readonly id: string; readonly name: string })[];
}

/** The meters of groups, given ones, and those that run `ofTask` on their own; each counts once. One statement for any number. */
export async function reachOf(
  pool: pg.Pool,
  organizationId: string,
  { groups, meters, ofTask }: { groups: readonly string[]; meters: readonly string[]; ofTask: string | undefined },
): Promise<Reach> {
  const { rows } = await pool.query<Reach>(
    `with reached as (
       select meter_device_id as id from meter_device_task_groups where amr_task_group_id = any($2::uuid[])
       union select unnest($3::uuid[])
       union select meter_device_id from meter_device_meter_tasks where amr_task_id = $4
     ), meter as materialized (
       select network_interface_id, case
         when life_cycle = 'retired' then 'retired'
         when network_interface_id is null then 'without interface'
         when credentials_rejected_at is not null then 'credentials rejected' end as left_out
       from reached join meter_device m using (id)
       where m.organization_id = $1
     ), interface as materialized (
       select network_interface_id as id, count(*)::int as meters from meter where left_out is null group by 1
     ), segment_load as materialized (
       select g.id, g.name, g.max_open_sessions as "maxOpenSessions",
         g.max_new_sessions_per_second as "maxNewSessionsPerSecond", sum(i.meters)::int as meters
       from interface i
       join network_interface n using (id)
       join segment g on g.id = n.segment_id
       where g.max_open_sessions is not null or g.max_new_sessions_per_second is not null
       group by g.id
     )
     select m.*,
       (select to_jsonb(i) from (
          select n.id, n.name, i.meters from interface i join network_interface n using (id) order by i.meters desc, n.id limit 1
        ) i) as "longestInterface",
       coalesce((select jsonb_agg(s) from (
          (select * from segment_load where "maxOpenSessions" is not null
           order by meters::float8 / "maxOpenSessions" desc, id limit 1)
          union
          (select * from segment_load where "maxNewSessionsPerSecond" is not null
           order by meters::float8 / "maxNewSessionsPerSecond" desc, id limit 1)
        ) s), '[]') as segments
     from (
       select count(*)::int as meters, count(*) filter (where left_out = 'retired')::int as retired,
         count(*) filter (where left_out = 'without interface')::int as "withoutInterface",
         count(*) filter (where left_out = 'credentials rejected')::int as "credentialsRejected"
       from meter
     ) m`,
    [organizationId, groups, meters, ofTask ?? null],
  );
  return rows[0]!;
}
