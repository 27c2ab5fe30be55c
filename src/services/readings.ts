import type { Database } from '../db/database.js';
import {
  countOf,
  millisecondsOf,
  packed,
  preciseInstant,
  unpackTimes,
  type PackedReadings,
} from '../db/packed-readings.js';
import { READING_ORIGIN_CODES, type ReadingOrigin } from '../domain/enums.js';
import { parseInstant } from '../domain/instant.js';
import { emptyTexts, instants, plainTexts, texts, type JsonList } from '../domain/json-list.js';
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
  readonly timestamps: JsonList<Date>;
  readonly values: JsonList<string>;
  readonly qualities: JsonList<string>;
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

type PackedRegister = PackedReadings & RegisterRow;

/** As `encodePosition` writes it. PostgreSQL has no year 0. */
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
    // Registers come in order, and of each no more than a page is read: the limit stops at the first ones that fill it.
    // They are packed in the order in which the inner query gives them.
    const { rows } = await this.database.pool.query<PackedRegister>(
      `select p.*, r.meter_device_id as "meterDeviceId", r.series_id as "seriesId"
         from (${packed(`
           select r.id, x.measured_at, x.value, x.quality
             from (select r.id from register r join meter_device m on m.id = r.meter_device_id join series s on s.id = r.series_id
                    where m.id = $1 and m.organization_id = $2 and ($3::text[] is null or s.name = any($3)) and r.id >= $6
                    order by r.id) r
            cross join lateral (
              select measured_at, value, quality from meter_reading
               where register_id = r.id and measured_at >= $4 and measured_at < $5
                 and (r.id <> $6 or measured_at > $7)
               order by measured_at limit $8) x
            order by r.id, x.measured_at limit $8`)}) p
         join register r using (id) order by p.id`,
      [
        isUuid(request.meterDevice) ? request.meterDevice : null,
        organizationId,
        request.series ?? null,
        from,
        to,
        after?.register ?? 0,
        after?.time ?? from,
        size + 1,
      ],
    );
    if (rows.length === 0) await this.requireMeter(organizationId, request.meterDevice);
    return toPage(rows, size);
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

  /** Throws `NOT_FOUND` for an unknown meter. */
  private async requireMeter(organizationId: string, meterId: string): Promise<void> {
    const { rows } = await this.database.pool.query('select from meter_device where id = $1 and organization_id = $2', [
      isUuid(meterId) ? meterId : null,
      organizationId,
    ]);
    if (rows.length === 0) throw notFound('MeterDevice', meterId, 'meterDevice');
  }
}

interface LatestRow extends Omit<LatestReading, 'cursor' | 'quality' | 'origin' | 'late'> {
  readonly quality: number;
  readonly origin: number;
}

/** Of one reading more than the page holds only tells that there is a next page. */
function toPage(rows: readonly PackedRegister[], size: number): ReadingPage {
  const columns: ReadingColumns[] = [];
  let left = size;
  let last: string | undefined;
  for (const packedRegister of rows) {
    const { id, meterDeviceId, seriesId, values, qualities } = packedRegister;
    const stored = countOf(packedRegister);
    const count = Math.min(stored, left);
    if (count === 0) return { columns, next: last ?? null };
    const times = unpackTimes(packedRegister, count);
    columns.push({
      register: { id, meterDeviceId, seriesId },
      timestamps: instants(times.map(millisecondsOf)),
      values: plainTexts(stored > count ? values.split(',', count).join(',') : values, count),
      qualities: qualities
        ? texts(qualities.slice(0, count).map((quality) => qualityCodes(quality).join(',')))
        : emptyTexts(count),
    });
    left -= count;
    last = encodePosition(id, times.at(-1)!);
    if (stored > count) return { columns, next: last };
  }
  return { columns, next: null };
}

function encodePosition(register: number, microseconds: number): string {
  return Buffer.from(`${register} ${preciseInstant(microseconds)}`, 'latin1').toString('base64url');
}

/** Accepts what `encodePosition` writes and nothing else: the database understands other times otherwise, or not at all. */
function decodePosition(cursor: string): { register: number; time: string } {
  const text = Buffer.from(cursor.slice(0, 100), 'base64url').toString('latin1');
  const [, register, time] = POSITION.exec(text) ?? [];
  const known = register !== undefined && time !== undefined && parseInstant(time) !== undefined;
  if (!known || Number(register) > MAX_REGISTER) throw wrongCursor();
  return { register: Number(register), time };
}
