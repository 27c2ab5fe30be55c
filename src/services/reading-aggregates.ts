import type { Database } from '../db/database.js';
import { sqlState } from '../db/errors.js';
import {
  aggregateReadings,
  type AggregatedRegister,
  type AggregateRow,
  type MeterIndex,
} from '../db/reading-aggregates.js';
import type { BucketSize } from '../domain/calendar-buckets.js';
import { CalendarBuckets } from '../domain/calendar-buckets.js';
import { divideDecimal } from '../domain/decimal.js';
import { SeriesKind } from '../domain/enums.js';
import { expectedReadings, rhythmOf, type ReadingRhythm } from '../domain/expected-readings.js';
import { qualityCodes } from '../domain/quality.js';
import { isUuid } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import { notFound } from './input.js';
import { pageSize, wrongCursor } from './page.js';
import type { RegisterRow } from './registers.js';

const BUCKET_PAGE = { usual: 10_000, most: 10_000 };
/** Calendars beyond are guesswork, and so is what the database makes of them. */
const OLDEST = Date.UTC(1900, 0, 1);
const NEWEST = Date.UTC(2200, 0, 1);
const AVERAGE_DECIMALS = 10;
/** Newest readings of a register whose distances tell its rhythm. */
const RHYTHM_READINGS = 200;
const QUERY_CANCELED = '57014';

export interface AggregatesRequest {
  meterDevice?: string | null;
  taskGroup?: string | null;
  series?: string[] | null;
  from: Date;
  to: Date;
  bucket: BucketSize;
  timeZone?: string | null;
  first?: number | null;
  after?: string | null;
}

/** Buckets of a register, or of a series over the meters of a group, as parallel arrays, oldest first. */
export interface AggregateColumns {
  readonly seriesId: string;
  /** Of a meter; null for a group. */
  readonly register: RegisterRow | null;
  readonly meterCount: number;
  readonly starts: Date[];
  readonly ends: Date[];
  readonly amounts: (string | null)[];
  readonly minima: (string | null)[];
  readonly maxima: (string | null)[];
  readonly averages: (string | null)[];
  readonly firsts: (string | null)[];
  readonly lasts: (string | null)[];
  readonly counts: number[];
  readonly expectedCounts: (number | null)[];
  readonly revisedCounts: number[];
  readonly qualities: string[];
}

export interface AggregatePage {
  readonly timeZone: string;
  readonly columns: AggregateColumns[];
  readonly next: string | null;
}

/** What is gathered into one column. */
interface Source {
  /** Of the cursor: sources come in its order. */
  readonly key: string;
  readonly seriesId: string;
  readonly kind: SeriesKind;
  readonly registers: readonly SourceRegister[];
}

interface SourceRegister extends AggregatedRegister, RegisterRow {
  readonly kind: SeriesKind;
  readonly medianMs: number | null;
  readonly newest: Date | null;
}

interface Place {
  readonly key: string;
  readonly start: number;
}

/** Readings by calendar bucket, for billing and analytics. Reckoned when asked for: what is revised or comes late is in it. */
export class ReadingAggregateService {
  constructor(private readonly database: Database) {}

  async page(organizationId: string, request: AggregatesRequest): Promise<AggregatePage> {
    const size = pageSize(request.first, BUCKET_PAGE);
    const after = request.after == null ? undefined : decodePlace(request.after);
    const { from, to } = checkSpan(request);
    const { registers, timeZone } = await this.scopeOf(organizationId, request);
    const buckets = bucketsOf(request.bucket, timeZone);
    const beginning = buckets.startOf(from);
    const columns: AggregateColumns[] = [];
    let left = size;
    for (const source of sourcesOf(registers, request.taskGroup != null)) {
      const order = after && compareKeys(source.key, after.key);
      if (order !== undefined && order < 0) continue;
      if (left === 0) return { timeZone, columns, next: encodePlace({ key: source.key, start: beginning }) };
      // A bucket that the calendar does not begin there, in a cursor of another request, would cut readings in two.
      const bounds = [order === 0 ? buckets.startOf(Math.max(after!.start, beginning)) : beginning];
      while (bounds.length <= left && bounds.at(-1)! < to) bounds.push(buckets.endOf(bounds.at(-1)!));
      if (bounds.length < 2) continue;
      columns.push(await this.columnOf(source, bounds));
      left -= bounds.length - 1;
      if (bounds.at(-1)! < to)
        return { timeZone, columns, next: encodePlace({ key: source.key, start: bounds.at(-1)! }) };
    }
    return { timeZone, columns, next: null };
  }

  private async columnOf(source: Source, bounds: readonly number[]): Promise<AggregateColumns> {
    const differences = source.kind === SeriesKind.CUMULATIVE;
    const ends = differences || source.kind === SeriesKind.INTERVAL;
    const indexes = differences ? await this.indexesOf(source.registers) : [];
    try {
      const rows = await aggregateReadings(this.database.pool, {
        registers: source.registers,
        bounds,
        ends,
        differences,
        indexes,
      });
      return toColumns(source, bounds, ends, rows);
    } catch (error) {
      if (sqlState(error) !== QUERY_CANCELED) throw error;
      throw new InputError(
        'LIMIT_EXCEEDED',
        'These readings take longer than a minute to add up. Ask for a shorter span, a lower first, or fewer series.',
        'to',
      );
    }
  }

  /** The registers asked for, with their rhythm before the end of the span, and the zone of the calendar. */
  private async scopeOf(
    organizationId: string,
    request: AggregatesRequest,
  ): Promise<{ registers: SourceRegister[]; timeZone: string }> {
    const { meterDevice, taskGroup } = request;
    if ((meterDevice == null) === (taskGroup == null)) {
      throw new InputError('BAD_USER_INPUT', 'Give one of meterDevice and taskGroup, not both.', 'meterDevice');
    }
    const [kind, field, id] =
      meterDevice == null
        ? (['AmrTaskGroup', 'taskGroup', taskGroup!] as const)
        : (['MeterDevice', 'meterDevice', meterDevice] as const);
    const owners = await this.database.pool.query<{ timeZone: string }>(
      kind === 'MeterDevice'
        ? 'select time_zone as "timeZone" from meter_device where id = $1 and organization_id = $2'
        : `select 'UTC' as "timeZone" from amr_task_group where id = $1 and organization_id = $2`,
      [isUuid(id) ? id : null, organizationId],
    );
    if (!owners.rows[0]) throw notFound(kind, id, field);
    const member =
      kind === 'MeterDevice'
        ? 'm.id = $1'
        : 'm.id in (select meter_device_id from meter_device_task_groups where amr_task_group_id = $1)';
    const { rows } = await this.database.pool.query<SourceRegister>(
      `select r.id, m.id as "meterDeviceId", s.id as "seriesId", s.kind, rhythm."medianMs", rhythm.newest,
              (s.multiplier * case when s.affected_by_current_transformer then coalesce(m.current_transformer_ratio, 1) else 1 end
                            * case when s.affected_by_voltage_transformer then coalesce(m.voltage_transformer_ratio, 1) else 1 end)::text as factor
         from meter_device m join register r on r.meter_device_id = m.id join series s on s.id = r.series_id
        cross join lateral (
          select max(measured_at) as newest, percentile_disc(0.5) within group (order by gap) as "medianMs"
            from (select measured_at, date_part('epoch', measured_at - lead(measured_at) over (order by measured_at desc)) * 1000 as gap
                    from (select measured_at from meter_reading where register_id = r.id and measured_at <= $4
                           order by measured_at desc limit ${RHYTHM_READINGS + 1}) newest) gaps) rhythm
        where ${member} and m.organization_id = $2 and ($3::text[] is null or s.name = any($3))
        order by r.id`,
      [id, organizationId, request.series ?? null, request.to],
    );
    return { registers: rows, timeZone: request.timeZone ?? owners.rows[0].timeZone };
  }

  /**
   * Indexes of the meters' installations, as the registers' values are stored. Only of meters with one counter: what an
   * index says of several nobody knows.
   */
  private async indexesOf(registers: readonly SourceRegister[]): Promise<MeterIndex[]> {
    const { rows } = await this.database.pool.query<MeterIndex>(
      `select f.register, x.at, x.installed, (x.value * f.factor)::text as value
         from unnest($1::int[], $2::uuid[], $3::numeric[]) as f (register, meter, factor)
         join installation i on i.meter_device_id = f.meter
        cross join lateral (values (i.installed_at, true, i.start_index), (i.removed_at, false, i.end_index)) as x (at, installed, value)
        where x.value is not null and x.at is not null
          and (select count(*) from register r join series s on s.id = r.series_id
                where r.meter_device_id = f.meter and s.kind = 'cumulative') = 1`,
      [
        registers.map(({ id }) => id),
        registers.map(({ meterDeviceId }) => meterDeviceId),
        registers.map(({ factor }) => factor),
      ],
    );
    return rows;
  }
}

function checkSpan({ from, to }: AggregatesRequest): { from: number; to: number } {
  if (from >= to) throw new InputError('BAD_USER_INPUT', 'from must be before to.', 'from');
  if (from.getTime() < OLDEST) throw new InputError('BAD_USER_INPUT', 'from must not be before 1900.', 'from');
  if (to.getTime() > NEWEST) throw new InputError('BAD_USER_INPUT', 'to must not be after 2199.', 'to');
  return { from: from.getTime(), to: to.getTime() };
}

function bucketsOf(size: BucketSize, timeZone: string): CalendarBuckets {
  try {
    return new CalendarBuckets(size, timeZone);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InputError(
      'BAD_USER_INPUT',
      `timeZone ${JSON.stringify(timeZone.slice(0, 100))} must be an IANA zone such as Europe/Berlin.`,
      'timeZone',
    );
  }
}

/** Each register alone, or those of one series together. */
function sourcesOf(registers: readonly SourceRegister[], together: boolean): Source[] {
  if (!together) {
    return registers.map((each) => ({
      key: String(each.id),
      seriesId: each.seriesId,
      kind: each.kind,
      registers: [each],
    }));
  }
  const bySeries = new Map<string, SourceRegister[]>();
  for (const register of registers) {
    const others = bySeries.get(register.seriesId);
    if (others) others.push(register);
    else bySeries.set(register.seriesId, [register]);
  }
  return [...bySeries]
    .map(([seriesId, found]) => ({ key: seriesId, seriesId, kind: found[0]!.kind, registers: found }))
    .sort((a, b) => compareKeys(a.key, b.key));
}

/** Register ids rise as numbers, ids of series as text: a shorter number is the smaller one. */
function compareKeys(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

function toColumns(
  source: Source,
  bounds: readonly number[],
  ends: boolean,
  rows: readonly AggregateRow[],
): AggregateColumns {
  const byBucket = new Map(rows.map((row) => [row.bucket, row]));
  const rhythms = countedRhythms(source.registers);
  const first = source.registers[0]!;
  const columns: AggregateColumns = {
    seriesId: source.seriesId,
    register:
      source.key === source.seriesId
        ? null
        : { id: first.id, meterDeviceId: first.meterDeviceId, seriesId: first.seriesId },
    meterCount: source.registers.length,
    starts: [],
    ends: [],
    amounts: [],
    minima: [],
    maxima: [],
    averages: [],
    firsts: [],
    lasts: [],
    counts: [],
    expectedCounts: [],
    revisedCounts: [],
    qualities: [],
  };
  for (let bucket = 0; bucket < bounds.length - 1; bucket++) {
    const [start, end] = [bounds[bucket]!, bounds[bucket + 1]!];
    const row = byBucket.get(bucket);
    const count = row?.count ?? 0;
    const expected = expectedOf(rhythms, { start, end }, ends);
    columns.starts.push(new Date(start));
    columns.ends.push(new Date(end));
    columns.amounts.push(row ? amountOf(source.kind, row) : null);
    columns.minima.push(row?.min ?? null);
    columns.maxima.push(row?.max ?? null);
    columns.averages.push(row?.sum == null ? null : divideDecimal(row.sum, count, AVERAGE_DECIMALS));
    columns.firsts.push(row?.first ?? null);
    columns.lasts.push(row?.last ?? null);
    columns.counts.push(count);
    columns.expectedCounts.push(expected);
    columns.revisedCounts.push(row?.revised ?? 0);
    columns.qualities.push(
      [
        ...qualityCodes(row?.quality ?? 0),
        ...(expected !== null && count < expected ? ['INCOMPLETE'] : []),
        ...(row ? marksOf(row, start, rhythms) : []),
      ].join(','),
    );
  }
  return columns;
}

function amountOf(kind: SeriesKind, { sum, difference, fell }: AggregateRow): string | null {
  if (kind === SeriesKind.INTERVAL) return sum;
  return fell ? null : difference;
}

function marksOf(row: AggregateRow, start: number, rhythms: readonly CountedRhythm[]): string[] {
  const slack = Math.max(0, ...rhythms.map(({ rhythm }) => rhythm.intervalMs));
  return [
    ...(row.began ? ['NO_START'] : []),
    ...(row.startedAt !== null && row.startedAt.getTime() < start - slack ? ['STARTS_EARLIER'] : []),
    ...(row.replaced ? ['METER_REPLACED'] : []),
    ...(row.rolled ? ['ROLLOVER'] : []),
    ...(row.fell ? ['UNEXPLAINED_FALL'] : []),
  ];
}

interface CountedRhythm {
  readonly rhythm: ReadingRhythm;
  readonly registers: number;
}

/** Meters of a group mostly have the same rhythm: it is reckoned once for all of them. */
function countedRhythms(registers: readonly SourceRegister[]): CountedRhythm[] {
  const counted = new Map<string, { rhythm: ReadingRhythm; registers: number }>();
  for (const { medianMs, newest } of registers) {
    const rhythm = medianMs === null || newest === null ? undefined : rhythmOf(medianMs, newest.getTime());
    if (!rhythm) continue;
    const { intervalMs, phaseMs } = rhythm;
    const key = `${intervalMs} ${phaseMs % intervalMs}`;
    const same = counted.get(key);
    if (same) same.registers++;
    else counted.set(key, { rhythm, registers: 1 });
  }
  return [...counted.values()];
}

function expectedOf(
  rhythms: readonly CountedRhythm[],
  span: { start: number; end: number },
  ends: boolean,
): number | null {
  if (rhythms.length === 0) return null;
  return rhythms.reduce((sum, { rhythm, registers }) => sum + registers * expectedReadings(rhythm, span, ends), 0);
}

function encodePlace({ key, start }: Place): string {
  return Buffer.from(`${key} ${start}`, 'latin1').toString('base64url');
}

function decodePlace(cursor: string): Place {
  const text = Buffer.from(cursor.slice(0, 100), 'base64url').toString('latin1');
  const [, key, start] = /^([1-9]\d{0,9}|[0-9a-f-]{36}) (-?\d{1,13})$/.exec(text) ?? [];
  const instant = Number(start);
  if (key === undefined || instant < OLDEST - 400 * 86_400_000 || instant > NEWEST) throw wrongCursor();
  return { key, start: instant };
}
