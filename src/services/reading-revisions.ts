import type { Database } from '../db/database.js';
import { READING_ORIGIN_CODES, type ReadingOrigin } from '../domain/enums.js';
import { parseInstant } from '../domain/instant.js';
import { qualityCodes } from '../domain/quality.js';
import { isUuid } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import { notFound } from './input.js';
import { keyCursor, Page, positionByKey, type PageRequest } from './page.js';

/** A value for a key, be it the current one or not. */
export interface ValueRow {
  readonly value: string;
  /** As the meter sent it; null where it is `value`. */
  readonly rawValue: string | null;
  readonly quality: string[];
  readonly origin: ReadingOrigin;
  readonly collectedAt: Date | null;
  readonly receivedAt: Date;
  readonly messageId: string | null;
}

export interface ReadingDetailRow extends ValueRow {
  readonly meterDeviceId: string;
  readonly series: string;
  readonly unit: string | null;
  readonly timestamp: Date;
  readonly revisions: ValueRow[];
}

/** A value that is not the current one, beside the one that is. */
export interface RevisionRow extends ValueRow {
  readonly id: string;
  readonly timestamp: Date;
  readonly currentValue: string | null;
  readonly currentQuality: string[];
}

export interface ReadingKey {
  meterDevice: string;
  series: string;
  timestamp: Date;
}
export interface RevisionsRequest extends PageRequest {
  meterDevice: string;
  series: string;
  from: Date;
  /** Excluded. */
  to: Date;
}

/** Revisions of one key that are listed. */
const MOST_REVISIONS = 100;

const VALUE_COLUMNS = `x.value, x.raw_value as "rawValue", x.quality, x.origin, x.collected_at as "collectedAt",
  x.received_at as "receivedAt", x.message_id as "messageId"`;
type Stored<T extends ValueRow> = Omit<T, 'quality' | 'origin'> & { quality: number; origin: number };

/** What was stored for a key, and what else came for it. By the keys of both tables: register and time. */
export class ReadingRevisionService {
  constructor(private readonly database: Database) {}

  /** The reading of a series at an instant, null for none; throws `NOT_FOUND` for an unknown meter. */
  async find(organizationId: string, { meterDevice, series, timestamp }: ReadingKey): Promise<ReadingDetailRow | null> {
    const register = await this.registerOf(organizationId, meterDevice, series);
    if (register === undefined) return null;
    const { pool } = this.database;
    const { rows } = await pool.query<Stored<ValueRow>>(
      `select ${VALUE_COLUMNS} from meter_reading x where x.register_id = $1 and x.measured_at = $2`,
      [register.id, timestamp],
    );
    if (!rows[0]) return null;
    const { rows: revisions } = await pool.query<Stored<ValueRow>>(
      `select ${VALUE_COLUMNS} from meter_reading_revision x where x.register_id = $1 and x.measured_at = $2
       order by coalesce(x.collected_at, x.received_at), x.message_id, x.id limit ${MOST_REVISIONS}`,
      [register.id, timestamp],
    );
    const { unit } = register;
    const key = { meterDeviceId: meterDevice, series, unit, timestamp };
    return { ...valueOf(rows[0]), ...key, revisions: revisions.map(valueOf) };
  }

  /** Revisions of a series in [from, to), by time and then value. */
  async page(
    organizationId: string,
    { meterDevice, series, from, to, ...request }: RevisionsRequest,
  ): Promise<Page<RevisionRow>> {
    if (from >= to) throw new InputError('BAD_USER_INPUT', 'from must be before to.', 'from');
    const position = positionByKey(request, revisionKey);
    const register = await this.registerOf(organizationId, meterDevice, series);
    if (register === undefined) return new Page<RevisionRow>([], position, () => Promise.resolve(0));
    const scope = [register.id, from, to];
    const { rows } = await this.database.pool.query<
      Stored<RevisionRow> & { currentQuality: number | null; at: string }
    >(
      `select x.id, x.measured_at as timestamp, ${VALUE_COLUMNS}, current.value as "currentValue",
         current.quality as "currentQuality", to_char(x.measured_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at
       from (
         select * from meter_reading_revision
         where register_id = $1 and measured_at >= $2 and measured_at < $3
           and (measured_at, value) > ($4::timestamptz, $5::numeric)
         order by measured_at, value limit $6) x
       left join lateral (
         select value, quality from meter_reading r
         where r.register_id = $1 and r.measured_at = x.measured_at and r.measured_at >= $2 and r.measured_at < $3 offset 0
       ) current on true
       order by x.measured_at, x.value`,
      [...scope, position.after?.at ?? from, position.after?.value ?? '-Infinity', position.size + 1],
    );
    const keys = new Map(rows.map(({ id, at, value }) => [id, keyCursor(at, value)]));
    const nodes = rows.map(({ at: _, ...row }) => ({
      ...valueOf(row),
      currentQuality: qualityCodes(row.currentQuality ?? 0),
    }));
    return new Page<RevisionRow>(
      nodes,
      position,
      async () => {
        const { rows: counted } = await this.database.pool.query<{ count: number }>(
          `select count(*)::int as count from meter_reading_revision
           where register_id = $1 and measured_at >= $2 and measured_at < $3`,
          scope,
        );
        return counted[0]!.count;
      },
      ({ id }) => keys.get(id)!,
    );
  }

  /** Undefined for a series the meter has no readings of; throws `NOT_FOUND` for an unknown meter. */
  private async registerOf(
    organizationId: string,
    meterDevice: string,
    series: string,
  ): Promise<{ id: number; unit: string | null } | undefined> {
    const { rows } = await this.database.pool.query<{ id: number | null; unit: string | null }>(
      `select r.id, s.unit from meter_device m
       left join series s on s.organization_id = m.organization_id and s.name = $3
       left join register r on r.meter_device_id = m.id and r.series_id = s.id
       where m.id = $1 and m.organization_id = $2`,
      [isUuid(meterDevice) ? meterDevice : null, organizationId, series],
    );
    const [row] = rows;
    if (!row) throw notFound('MeterDevice', meterDevice, 'meterDevice');
    return row.id === null ? undefined : { id: row.id, unit: row.unit };
  }
}

function valueOf<T extends { quality: number; origin: number }>(
  row: T,
): Omit<T, 'quality' | 'origin'> & { quality: string[]; origin: ReadingOrigin } {
  return { ...row, quality: qualityCodes(row.quality), origin: READING_ORIGIN_CODES[row.origin]! };
}

function revisionKey([at, value]: readonly unknown[]): { at: string; value: string } | undefined {
  if (typeof at !== 'string' || typeof value !== 'string') return undefined;
  const known = parseInstant(at) !== undefined && !at.startsWith('0000') && /^-?\d{1,200}(\.\d{1,200})?$/.test(value);
  return known ? { at, value } : undefined;
}
