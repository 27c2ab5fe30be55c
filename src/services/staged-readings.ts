import type { Database } from '../db/database.js';
import { READING_ORIGIN_CODES, type ReadingOrigin } from '../domain/enums.js';
import { parseInstant } from '../domain/instant.js';
import { qualityCodes } from '../domain/quality.js';
import { stagedUntil } from '../domain/staging.js';
import { isPrintable } from '../domain/text.js';
import { InputError } from '../errors.js';
import { keyCursor, Page, positionByKey, type PageRequest } from './page.js';
import { SqlParameters } from './sql.js';

export interface StagedReadingSelection {
  meter?: string | null;
  series?: string | null;
  from?: Date | null;
  /** Excluded. */
  to?: Date | null;
}

/** A reading of a meter nobody has created yet. */
export interface StagedReadingRow {
  readonly id: string;
  readonly meter: string;
  readonly series: string;
  readonly timestamp: Date;
  readonly value: string;
  readonly unit: string | null;
  readonly quality: string[];
  readonly origin: ReadingOrigin;
  readonly collectedAt: Date | null;
  readonly receivedAt: Date;
  readonly expiresAt: Date;
  /** To the microsecond, as cursors carry it. */
  readonly at: string;
}

/** What waits under one name. */
export interface StagedMeterRow {
  /** Its place in lists: the name. */
  readonly id: string;
  readonly meter: string;
  readonly readingCount: number;
  readonly firstMeasuredAt: Date;
  readonly lastMeasuredAt: Date;
  readonly seriesCount: number;
  readonly series: string[];
}

/** Series of one name that are listed. */
const MOST_SERIES = 100;

/** What waits for its meter. All by the key of the table: organization, meter, series, time. */
export class StagedReadingService {
  constructor(private readonly database: Database) {}

  /** By meter, series and time. */
  async page(
    organizationId: string,
    request: PageRequest,
    { meter, series, from, to }: StagedReadingSelection = {},
  ): Promise<Page<StagedReadingRow>> {
    if (from && to && from >= to) {
      throw new InputError('BAD_USER_INPUT', 'filter.from must be before filter.to.', 'filter.from');
    }
    const position = positionByKey(request, readingKey);
    const parameters = new SqlParameters();
    const scope = [`organization_id = ${parameters.add(organizationId)}`];
    if (meter != null) scope.push(`meter = ${parameters.add(meter)}`);
    if (series != null) scope.push(`series = ${parameters.add(series)}`);
    if (from) scope.push(`measured_at >= ${parameters.add(from)}`);
    if (to) scope.push(`measured_at < ${parameters.add(to)}`);
    const scoped = [...parameters.values];
    const where = [...scope];
    if (position.after) {
      const [afterMeter, afterSeries, at, id] = position.after;
      where.push(
        `(meter, series, measured_at, id) > (${parameters.add(afterMeter)}, ${parameters.add(afterSeries)}, ${parameters.add(at)}::timestamptz, ${parameters.add(id)}::bigint)`,
      );
    }
    const { rows } = await this.database.pool.query<
      Omit<StagedReadingRow, 'quality' | 'origin' | 'expiresAt'> & { quality: number; origin: number }
    >(
      `select id, meter, series, measured_at as timestamp, value, unit, quality, origin, collected_at as "collectedAt",
         received_at as "receivedAt", to_char(measured_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at
       from staged_reading where ${where.join(' and ')}
       order by meter, series, measured_at, id limit ${parameters.add(position.size + 1)}`,
      parameters.values,
    );
    return new Page<StagedReadingRow>(
      rows.map((row) => ({
        ...row,
        quality: qualityCodes(row.quality),
        origin: READING_ORIGIN_CODES[row.origin]!,
        expiresAt: stagedUntil(row.receivedAt),
      })),
      position,
      () => this.countWhere(scope, scoped),
      (row) => keyCursor(row.meter, row.series, row.at, row.id),
    );
  }

  /** The names under which readings wait, by name. */
  async meters(organizationId: string, request: PageRequest): Promise<Page<StagedMeterRow>> {
    const position = positionByKey(request, nameKey);
    // From name to name by the key; what waits under a name is summed up for those of the page alone.
    const { rows } = await this.database.pool.query<StagedMeterRow>(
      `with recursive names as (
         (select meter, 1 as place from staged_reading
          where organization_id = $1 and meter > $2 order by meter limit 1)
         union all
         select next.meter, names.place + 1
         from names cross join lateral (
           select s.meter from staged_reading s
           where s.organization_id = $1 and s.meter > names.meter order by s.meter limit 1) next
         where names.place < $3)
       select n.meter as id, n.meter, total."readingCount", total."firstMeasuredAt", total."lastMeasuredAt", total."seriesCount",
         total.series
       from names n
       cross join lateral (
         select sum(readings)::int as "readingCount", min(first) as "firstMeasuredAt", max(last) as "lastMeasuredAt",
           count(*)::int as "seriesCount", (array_agg(series order by series))[1:${MOST_SERIES}] as series
         from (
           select series, count(*) as readings, min(measured_at) as first, max(measured_at) as last
           from staged_reading where organization_id = $1 and meter = n.meter group by series) s) total
       order by n.place`,
      [organizationId, position.after ?? '', position.size + 1],
    );
    return new Page(
      rows,
      position,
      async () => {
        const { rows: counted } = await this.database.pool.query<{ count: number }>(
          'select count(*)::int as count from (select distinct meter from staged_reading where organization_id = $1) m',
          [organizationId],
        );
        return counted[0]!.count;
      },
      (row) => keyCursor(row.meter),
    );
  }

  count(organizationId: string): Promise<number> {
    return this.countWhere(['organization_id = $1'], [organizationId]);
  }

  private async countWhere(where: readonly string[], values: readonly unknown[]): Promise<number> {
    const { rows } = await this.database.pool.query<{ count: number }>(
      `select count(*)::int as count from staged_reading where ${where.join(' and ')}`,
      [...values],
    );
    return rows[0]!.count;
  }
}

function readingKey([meter, series, at, id]: readonly unknown[]): [string, string, string, string] | undefined {
  const texts = isText(meter) && isText(series) && isText(at) && isText(id);
  const known = texts && parseInstant(at) !== undefined && !at.startsWith('0000') && /^\d{1,18}$/.test(id);
  return known ? [meter, series, at, id] : undefined;
}

function nameKey([meter]: readonly unknown[]): string | undefined {
  return isText(meter) ? meter : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && isPrintable(value);
}
