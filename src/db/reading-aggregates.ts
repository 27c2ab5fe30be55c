import type pg from 'pg';

/** What of a register decides how its readings are gathered. */
export interface AggregatedRegister {
  readonly id: number;
  /** Multiplier and transformer ratios: stored values are what the meter showed, times it. */
  readonly factor: string;
}

export interface AggregateRequest {
  readonly registers: readonly AggregatedRegister[];
  /** Ends of the buckets and, first, where the first one begins. Milliseconds, rising. */
  readonly bounds: readonly number[];
  /** Whether a reading of a bucket's end belongs to it, and not one of its start. */
  readonly ends: boolean;
  /** Whether differences are wanted: of counters. */
  readonly differences: boolean;
  /** Indexes that meters showed when they were installed and removed. */
  readonly indexes: readonly MeterIndex[];
}

/** What a meter showed when it came to a place or left it, as its readings are stored: times the factor. */
export interface MeterIndex {
  readonly register: number;
  readonly at: Date;
  readonly installed: boolean;
  readonly value: string;
}

/** One bucket that has readings or indexes. Numbers of readings, exact values as text. */
export interface AggregateRow {
  /** From 0, in the order of the bounds. */
  readonly bucket: number;
  readonly count: number;
  readonly sum: string | null;
  readonly min: string | null;
  readonly max: string | null;
  readonly first: string | null;
  readonly last: string | null;
  /** All bits that any reading has. */
  readonly quality: number;
  readonly revised: number;
  /** Sum of the differences that can be explained; null without one. */
  readonly difference: string | null;
  readonly fell: boolean;
  readonly rolled: boolean;
  /** A register's very first reading is in it. */
  readonly began: boolean;
  readonly replaced: boolean;
  /** When the value was read that the first difference starts from. */
  readonly startedAt: Date | null;
}

/**
 * A value that falls has rolled over when it was in the last tenth of what the integer digits of the meter hold and is in the
 * first tenth now. Below four digits a small counter that was reset would look the same.
 */
const ROLLOVER_DIGITS = 4;

/**
 * Buckets of one series, over its registers together. Readings come from the covering key alone, the one before the first bucket
 * included, so that a year of a meter is an index-only scan; PostgreSQL adds up in `numeric`, nothing is rounded.
 */
export async function aggregateReadings(pool: pg.Pool, request: AggregateRequest): Promise<AggregateRow[]> {
  const { text, values } = aggregateStatement(request);
  return (await pool.query<AggregateRow>(text, values)).rows;
}

/** The statement, for those who want to see its plan. */
export function aggregateStatement({ registers, bounds, ends, differences, indexes }: AggregateRequest) {
  const instants = bounds.map((bound) => new Date(bound).toISOString());
  const values: unknown[] = [registers.map(({ id }) => id), instants, instants[0], instants.at(-1)];
  const [above, upTo] = ends ? ['>', '<='] : ['>=', '<'];
  // A reading of a bound belongs to the bucket before it: a microsecond is the least that two times differ by.
  const bucket = `width_bucket(measured_at${ends ? ` - interval '1 microsecond'` : ''}, $2::timestamptz[])`;
  const single = registers.length === 1;
  // Looked up by the key where they are known: an ordered aggregate would sort all readings.
  const edge = (at: string) =>
    single
      ? `(select value from meter_reading where register_id = ($1::int[])[1] and measured_at = p.${at})`
      : 'null::numeric';
  const edges = `${edge('first_at')} as first, ${edge('last_at')} as last`;
  const readings = `select r.id, x.measured_at, x.value, x.quality, true as real, 3 as rank
      from unnest($1::int[]) as r (id) cross join lateral (
        select measured_at, value, quality from meter_reading
         where register_id = r.id and measured_at ${above} $3::timestamptz and measured_at ${upTo} $4::timestamptz) x`;
  const revised = `select ${bucket} as bucket, count(distinct (register_id, measured_at))::int as revised
      from meter_reading_revision
     where register_id = any($1::int[]) and measured_at ${above} $3::timestamptz and measured_at ${upTo} $4::timestamptz group by 1`;
  const columns = `count(*) filter (where real)::int as count, sum(value) filter (where real) as sum,
      min(value) filter (where real) as min, max(value) filter (where real) as max,
      min(measured_at) filter (where real) as first_at, max(measured_at) filter (where real) as last_at,
      coalesce(bit_or(quality), 0) as quality`;
  if (!differences) {
    const text = `with point as (${readings}), revision as (${revised})
      select p.bucket - 1 as bucket, p.count, p.sum, p.min, p.max, ${edges}, p.quality, coalesce(v.revised, 0) as revised,
             null as difference, false as fell, false as rolled, false as began, false as replaced, null as "startedAt"
        from (select ${bucket} as bucket, ${columns} from point group by 1) p left join revision v using (bucket)`;
    return { text, values };
  }
  values.push(registers.map(({ factor }) => factor));
  return { text: differenceText({ readings, revised, columns, edges, bucket, indexes, values, upTo }), values };
}

function differenceText(parts: {
  readings: string;
  revised: string;
  columns: string;
  edges: string;
  bucket: string;
  indexes: readonly MeterIndex[];
  values: unknown[];
  upTo: string;
}): string {
  const { readings, revised, columns, edges, bucket, indexes, values, upTo } = parts;
  let points = `${readings}
    union all
    select r.id, x.measured_at, x.value, x.quality, true, 3
      from unnest($1::int[]) as r (id) cross join lateral (
        select measured_at, value, quality from meter_reading
         where register_id = r.id and measured_at <= $3::timestamptz order by measured_at desc limit 1) x`;
  if (indexes.length > 0) {
    values.push(
      indexes.map(({ register }) => register),
      indexes.map(({ at }) => at.toISOString()),
      indexes.map(({ installed }) => installed),
      indexes.map(({ value }) => value),
    );
    // In this order at one instant: what the meter showed in the end, nothing, what the next one showed at first, its readings.
    // A difference to or from nothing is nothing: what lies between two meters is nobody's.
    points += `
    union all
    select i.register, i.at, case when side = 1 then null else i.value end, null, false,
           case when side = 1 then 1 when i.installed then 2 else 0 end
      from unnest($6::int[], $7::timestamptz[], $8::bool[], $9::numeric[]) as i (register, at, installed, value), generate_series(0, 1) side
     where i.at ${upTo} $4::timestamptz`;
  }
  return `with point as (${points}),
    revision as (${revised}),
    step as (
      select p.*, ${bucket} as bucket, lag(value) over w as before, lag(measured_at) over w as before_at,
             real and lag(rank) over w is null as began
        from point p window w as (partition by id order by measured_at, rank)),
    judged as (
      select s.*, case when value >= before then value - before
                       when value < before then (
                         select value - before + m.modulus
                           from unnest($1::int[], $5::numeric[]) as f (id, factor),
                                lateral (select length(trunc(before / f.factor)::text) as digits) d,
                                lateral (select ('1e' || d.digits)::numeric * f.factor as modulus) m
                          where f.id = s.id and value >= 0 and before >= 0.9 * m.modulus and value < 0.1 * m.modulus
                            and d.digits >= ${ROLLOVER_DIGITS})
                  end as difference
        from step s)
    select p.bucket - 1 as bucket, p.count, p.sum, p.min, p.max, ${edges}, p.quality, coalesce(v.revised, 0) as revised,
           p.difference, p.fell, p.rolled, p.began, p.replaced, p."startedAt"
      from (select bucket, ${columns}, sum(difference) as difference, coalesce(bool_or(value < before and difference is null), false) as fell,
                   coalesce(bool_or(value < before and difference is not null), false) as rolled, bool_or(began) as began,
                   bool_or(not real) as replaced, min(before_at) filter (where difference is not null) as "startedAt"
              from judged where bucket between 1 and array_length($2::timestamptz[], 1) - 1 group by bucket) p
      left join revision v using (bucket)`;
}
