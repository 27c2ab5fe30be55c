import type { Database } from '../db/database.js';
import { READING_ORIGIN_CODES, type ReadingOrigin } from '../domain/enums.js';
import { parseInstant } from '../domain/instant.js';
import { qualityCodes } from '../domain/quality.js';
import { isUuid } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import { notFound } from './input.js';
import { pageSize, wrongCursor } from './page.js';
import type { RegisterRow } from './registers.js';
import { SqlParameters } from './sql.js';

const READING_PAGE = { usual: 10_000, most: 10_000 };
const LATEST_PAGE = { usual: 100, most: 1000 };

export interface ReadingsRequest {
  meterDevice: string;
  series?: string[] | null;
  from: Date;
  /** Excluded. */
  to: Date;
  first?: number | null;
  after?: string | null;
}

/** One register's readings as parallel arrays, oldest first. */
export interface ReadingColumns {
  readonly register: RegisterRow;
  readonly timestamps: Date[];
  readonly values: string[];
  readonly qualities: string[];
}

export interface ReadingPage {
  readonly columns: ReadingColumns[];
  readonly next: string | null;
}

export interface ReadingSelection {
  meterDevices?: string[] | null;
  taskGroups?: string[] | null;
  series?: string[] | null;
  origins?: ReadingOrigin[] | null;
}

export interface LatestReading {
  readonly cursor: null;
  readonly meterDeviceId: string;
  readonly series: string;
  readonly unit: string | null;
  readonly timestamp: Date;
  readonly value: string;
  readonly quality: string[];
  readonly origin: ReadingOrigin;
  readonly receivedAt: Date;
  readonly meteringPoint: string | null;
  readonly customerReference: string | null;
  readonly tariffReference: string | null;
  readonly revised: boolean;
  /** The newest one never is. */
  readonly late: false;
}

/** Register, time, value, quality, and the time to the microsecond as cursors carry it. */
type ReadingTuple = [number, Date, string, number, string];

// Connections are in UTC, so that the Z is true.
const CURSOR_TIME = `to_char(x.measured_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** As `CURSOR_TIME` writes it. PostgreSQL has no year 0. */
const POSITION = /^([1-9]\d{0,9}) ((?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)$/;
/** Register ids are of type `integer`. */
const MAX_REGISTER = 2_147_483_647;

/** Reads what is stored. Values are text from the table to the client. */
export class ReadingService {
  constructor(private readonly database: Database) {}

  /** A page of a meter's readings in [from, to), by register and then time. */
  async page(organizationId: string, request: ReadingsRequest): Promise<ReadingPage> {
    const { from, to } = request;
    if (from >= to) throw new InputError('BAD_USER_INPUT', 'from must be before to.', 'from');
    const size = pageSize(request.first, READING_PAGE);
    const after = request.after == null ? undefined : decodePosition(request.after);
    const registers = await this.registersOf(organizationId, request.meterDevice, request.series ?? undefined);
    const ids = [...registers.keys()].filter((id) => after === undefined || id >= after.register);
    // Registers come in order, and of each no more than a page is read: the limit stops at the first ones that fill it.
    const { rows } = await this.database.pool.query<ReadingTuple>({
      text: `select r.id, x.measured_at, x.value, x.quality, ${CURSOR_TIME}
               from (select id from register where id = any($1::int[]) order by id) r
              cross join lateral (
                select measured_at, value, quality from meter_reading
                 where register_id = r.id and measured_at >= $2 and measured_at < $3
                   and (r.id <> $4 or measured_at > $5)
                 order by measured_at limit $6) x
              order by r.id, x.measured_at limit $6`,
      values: [ids, from, to, after?.register ?? 0, after?.time ?? from, size + 1],
      rowMode: 'array',
    });
    const page = rows.slice(0, size);
    return { columns: toColumns(page, registers), next: rows.length > size ? encodePosition(page.at(-1)!) : null };
  }

  /** The newest reading of each register, of these the ones that match, newest first. */
  async latest(
    organizationId: string,
    { meterDevices, taskGroups, series, origins }: ReadingSelection,
    first?: number | null,
  ): Promise<LatestReading[]> {
    const size = pageSize(first, LATEST_PAGE);
    const parameters = new SqlParameters();
    const uuids = (ids: string[]) => `${parameters.add(ids.filter(isUuid))}::uuid[]`;
    const where = [`m.organization_id = ${parameters.add(organizationId)}`];
    if (meterDevices) where.push(`m.id = any(${uuids(meterDevices)})`);
    if (taskGroups) {
      where.push(
        `m.id in (select meter_device_id from meter_device_task_groups where amr_task_group_id = any(${uuids(taskGroups)}))`,
      );
    }
    if (series) where.push(`s.name = any(${parameters.add(series)}::text[])`);
    if (origins) {
      const codes = origins.map((origin) => READING_ORIGIN_CODES.indexOf(origin));
      where.push(`x.origin = any(${parameters.add(codes)}::smallint[])`);
    }
    const { rows } = await this.database.pool.query<LatestRow>(
      `with latest as (
         select r.id as register_id, m.id as meter_device_id, s.name, s.unit, x.*
         from register r join meter_device m on m.id = r.meter_device_id join series s on s.id = r.series_id
        cross join lateral (
          select measured_at, value, quality, origin, received_at from meter_reading
           where register_id = r.id order by measured_at desc limit 1) x
        where ${where.join(' and ')} order by x.measured_at desc, r.id limit ${parameters.add(size)}
       )
       select l.meter_device_id as "meterDeviceId", l.name as series, l.unit, l.measured_at as timestamp, l.value, l.quality,
              l.origin, l.received_at as "receivedAt", p.id as "meteringPoint", p.customer_reference as "customerReference",
              p.tariff_reference as "tariffReference",
              exists (select from meter_reading_revision v where v.register_id = l.register_id
                 and v.measured_at = l.measured_at and v.received_at < l.received_at) as revised
         from latest l
         left join lateral (
           select metering_point_id from installation
            where meter_device_id = l.meter_device_id and installed_at <= l.measured_at
              and (removed_at is null or removed_at > l.measured_at)
            order by installed_at desc limit 1) i on true
         left join metering_point p on p.id = i.metering_point_id
        order by l.measured_at desc, l.register_id`,
      parameters.values,
    );
    return rows.map((row) => ({
      ...row,
      cursor: null,
      late: false,
      quality: qualityCodes(row.quality),
      origin: READING_ORIGIN_CODES[row.origin]!,
    }));
  }

  /** The meter's registers by id, ascending; throws `NOT_FOUND` for an unknown meter. */
  private async registersOf(
    organizationId: string,
    meterId: string,
    series: string[] | undefined,
  ): Promise<Map<number, RegisterRow>> {
    const { rows } = await this.database.pool.query<RegisterRow | { id: null }>(
      `select r.id, m.id as "meterDeviceId", r.series_id as "seriesId"
         from meter_device m left join (register r join series s on s.id = r.series_id)
           on r.meter_device_id = m.id and ($3::text[] is null or s.name = any($3))
        where m.id = $1 and m.organization_id = $2 order by r.id`,
      [isUuid(meterId) ? meterId : null, organizationId, series],
    );
    if (rows.length === 0) throw notFound('MeterDevice', meterId, 'meterDevice');
    return new Map(rows.flatMap((row) => (row.id === null ? [] : [[row.id, row]])));
  }
}

interface LatestRow extends Omit<LatestReading, 'cursor' | 'quality' | 'origin' | 'late'> {
  readonly quality: number;
  readonly origin: number;
}

function toColumns(rows: readonly ReadingTuple[], registers: ReadonlyMap<number, RegisterRow>): ReadingColumns[] {
  const columns: ReadingColumns[] = [];
  for (const [id, timestamp, value, quality] of rows) {
    let column = columns.at(-1);
    if (column?.register.id !== id) {
      column = { register: registers.get(id)!, timestamps: [], values: [], qualities: [] };
      columns.push(column);
    }
    column.timestamps.push(timestamp);
    column.values.push(value);
    column.qualities.push(qualityCodes(quality).join(','));
  }
  return columns;
}

function encodePosition([register, , , , time]: ReadingTuple): string {
  return Buffer.from(`${register} ${time}`, 'latin1').toString('base64url');
}

/** Accepts what `encodePosition` writes and nothing else: the database understands other times otherwise, or not at all. */
function decodePosition(cursor: string): { register: number; time: string } {
  const text = Buffer.from(cursor.slice(0, 100), 'base64url').toString('latin1');
  const [, register, time] = POSITION.exec(text) ?? [];
  const known = register !== undefined && time !== undefined && parseInstant(time) !== undefined;
  if (!known || Number(register) > MAX_REGISTER) throw wrongCursor();
  return { register: Number(register), time };
}
