import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

/** What a proof has to know of a meter beside its rows. */
export interface ProvenMeter {
  id: string;
  /** Of its fleet: each has meters of the same names. */
  fleet: string;
  name: string;
  /** How far its clock may be behind. */
  behindSeconds: number;
  /** Rows that its archives keep at most. */
  archiveRows?: number | undefined;
}

/** Loads the truth files of fleets beside the data of a head-end, into tables `proof_meter` and `proof_truth`. */
export async function loadTruth(
  pool: pg.Pool,
  meters: readonly ProvenMeter[],
  files: Readonly<Record<string, string>>,
): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query(`
      create table proof_meter (id uuid primary key, fleet text, name text, behind interval, archive_rows int);
      create table proof_truth (meter_id uuid, archive int, series text, measured_at timestamptz, value text);
      create temp table truth_csv (meter text, serial_number text, archive int, series text, measured_at timestamptz, value text)`);
    await client.query(
      `insert into proof_meter select m.id, m.fleet, m.name, m.behind * interval '1 second', m.archive_rows
       from unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::int[]) m (id, fleet, name, behind, archive_rows)`,
      [
        meters.map(({ id }) => id),
        meters.map(({ fleet }) => fleet),
        meters.map(({ name }) => name),
        meters.map(({ behindSeconds }) => behindSeconds),
        meters.map(({ archiveRows }) => archiveRows ?? null),
      ],
    );
    for (const [fleet, file] of Object.entries(files)) {
      await client.query('truncate truth_csv');
      await pipeline(
        createReadStream(file),
        client.query(copyFrom('copy truth_csv from stdin with (format csv, header)')),
      );
      await client.query(
        `insert into proof_truth select m.id, c.archive, c.series, c.measured_at, c.value
         from truth_csv c join proof_meter m on m.fleet = $1 and m.name = c.meter`,
        [fleet],
      );
    }
    await client.query(`
      create index on proof_truth (meter_id, series, measured_at);
      create view proof_stored as
        select g.meter_device_id as meter_id, s.name as series, r.measured_at, r.value::text as value
        from meter_reading r join register g on g.id = r.register_id join series s on s.id = g.series_id;
      analyze proof_meter, proof_truth`);
  } finally {
    client.release();
  }
}

interface Comparison {
  /** Cells that had to be compared. */
  cells: number;
  /** The first of those that differ. */
  differences: unknown[];
}

/** Rows that a meter held before `begin` and an archive read that succeeded asked for, and whether they are stored so. */
export async function missingReadings(pool: pg.Pool, begin: Date): Promise<Comparison> {
  const { rows } = await pool.query<{ cells: number; differences: unknown[] | null }>(
    `with cell as (
       select t.*, m.behind, m.archive_rows,
         dense_rank() over (partition by t.meter_id, t.archive order by t.measured_at desc) as age
       from proof_truth t join proof_meter m on m.id = t.meter_id
     ), expected as (
       select c.* from cell c
       where c.measured_at <= $1::timestamptz - c.behind and (c.archive_rows is null or c.age <= c.archive_rows)
         and exists (
           select from task_run r
           where r.meter_device_id = c.meter_id and r.state = 'succeeded'
             and r.task_call in ('read_archive_by_offset_seconds', 'read_archive_by_date')
             and (r.task_kwargs ->> 'archive_number')::int = c.archive
             and coalesce(c.measured_at >= (r.task_kwargs ->> 'start_date')::timestamptz, true)
             and coalesce(c.measured_at <= (r.task_kwargs ->> 'end_date')::timestamptz, true))
     ), different as (
       select e.*, s.value as stored from expected e
       left join proof_stored s using (meter_id, series, measured_at)
       where s.value is distinct from e.value
     )
     select (select count(*)::int from expected) as cells,
       (select json_agg(d) from (select m.fleet, m.name, d.* from different d join proof_meter m on m.id = d.meter_id limit 20) d) as differences`,
    [begin],
  );
  return { cells: rows[0]!.cells, differences: rows[0]!.differences ?? [] };
}

/** What is stored, and whether a meter ever held it. */
export async function inventedReadings(pool: pg.Pool): Promise<Comparison> {
  const { rows } = await pool.query<{ cells: number; differences: unknown[] | null }>(
    `with different as (
       select s.* from proof_stored s
       where not exists (
         select from proof_truth t
         where t.meter_id = s.meter_id and t.series = s.series and t.measured_at = s.measured_at and t.value = s.value)
     )
     select (select count(*)::int from proof_stored) as cells,
       (select json_agg(d) from (select m.fleet, m.name, d.* from different d left join proof_meter m on m.id = d.meter_id limit 20) d) as differences`,
  );
  return { cells: rows[0]!.cells, differences: rows[0]!.differences ?? [] };
}

export interface SegmentUse {
  segment: string;
  allowedOpen: number | null;
  mostOpen: number;
  allowedPerSecond: number | null;
  mostPerSecond: number;
}

/** The most sessions that each segment had open at once, and that began in it within any second, over all sessions ever. */
export async function segmentUse(pool: pg.Pool): Promise<SegmentUse[]> {
  const { rows } = await pool.query<SegmentUse>(`
    with session as (
      select s.*, i.segment_id from poll_session s join network_interface i on i.id = s.network_interface_id
    ), open as (
      -- What ends at an instant makes room for what begins at it.
      select segment_id, sum(step) over (partition by segment_id order by at, step) as n
      from (
        select segment_id, created_at as at, 1 as step from session
        union all
        select segment_id, closed_at, -1 from session where closed_at is not null
      ) steps
    ), begun as (
      select segment_id, count(*) over (partition by segment_id order by started_at
        range between interval '999 milliseconds' preceding and current row) as n
      from session where started_at is not null
    )
    select g.name as segment, g.max_open_sessions as "allowedOpen",
      (select max(n)::int from open where segment_id = g.id) as "mostOpen",
      g.max_new_sessions_per_second as "allowedPerSecond",
      (select max(n)::int from begun where segment_id = g.id) as "mostPerSecond"
    from segment g order by g.name`);
  return rows;
}
