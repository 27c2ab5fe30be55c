import { cancellableQuery } from '../db/cancellable-query.js';
import type { Database } from '../db/database.js';
import { countOf, packed, preciseInstant, unpackTimes, type PackedReadings } from '../db/packed-readings.js';
import { csvText } from '../domain/csv.js';
import { qualityCodes } from '../domain/quality.js';
import { isUuid } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import { notFound } from './input.js';
import { wrongCursor } from './page.js';
import { SqlParameters } from './sql.js';

export const EXPORT_FORMATS = ['csv', 'ndjson'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportRequest {
  format: ExportFormat;
  from: Date;
  /** Excluded. */
  to: Date;
  meterDevices?: string[] | undefined;
  taskGroup?: string | undefined;
  series?: string[] | undefined;
  /** cursor of the last row that has come. */
  after?: string | undefined;
}

/** Readings in memory at once, of one export: what is read ahead of a slow reader. */
const PAGE_READINGS = 5_000;
/** Registers that are looked through at once. */
const BLOCK_REGISTERS = 1_000;
const MAX_REGISTER = 2_147_483_647;

interface ExportedRegister {
  readonly id: number;
  readonly meterDevice: string;
  readonly meter: string;
  readonly series: string;
  readonly unit: string | null;
}

/** A row by its key: register, and microseconds since 2000. */
interface Place {
  readonly register: number;
  readonly time: number;
}

/**
 * All readings that a selection has, as text, page by page. Pages are found by key, each by a statement of its own: no
 * transaction stays open while a slow reader takes its time, and an export goes on from the cursor of any of its rows.
 */
export class ReadingExportService {
  constructor(private readonly database: Database) {}

  /**
   * Checks the request at once; what it returns reads as it is asked for more. The first text is the header, if the format has
   * one. Aborting the signal cancels the statement that runs.
   */
  async open(
    organizationId: string,
    request: ExportRequest,
    signal: AbortSignal,
  ): Promise<AsyncGenerator<string, void>> {
    if (request.from >= request.to) throw new InputError('BAD_USER_INPUT', 'from must be before to.', 'from');
    const after = request.after === undefined ? undefined : decodePlace(request.after);
    await this.requireSelected(organizationId, request);
    return this.pages(organizationId, request, after, signal);
  }

  private async *pages(
    organizationId: string,
    request: ExportRequest,
    after: Place | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<string, void> {
    const rows = request.format === 'csv' ? csvRows : ndjsonRows;
    if (request.format === 'csv') yield CSV_HEADER;
    let place: Place = after ?? { register: 0, time: 0 };
    for (;;) {
      const registers = await this.registersFrom(organizationId, request, place.register, signal);
      if (registers.size === 0) return;
      const last = [...registers.keys()].at(-1)!;
      for (let more = true; more;) {
        const ids = [...registers.keys()].filter((id) => id >= place.register);
        const packs = await this.readingsFrom(ids, request, place, signal);
        let count = 0;
        for (const pack of packs) {
          const times = unpackTimes(pack, countOf(pack));
          yield rows(registers.get(pack.id)!, times, pack);
          count += times.length;
          place = { register: pack.id, time: times.at(-1)! };
        }
        more = count === PAGE_READINGS;
      }
      if (registers.size < BLOCK_REGISTERS) return;
      place = { register: last + 1, time: MIN_TIME };
    }
  }

  private async registersFrom(
    organizationId: string,
    { meterDevices, taskGroup, series }: ExportRequest,
    from: number,
    signal: AbortSignal,
  ): Promise<Map<number, ExportedRegister>> {
    const parameters = new SqlParameters();
    const where = [`m.organization_id = ${parameters.add(organizationId)}`, `r.id >= ${parameters.add(from)}`];
    if (meterDevices) where.push(`m.id = any(${parameters.add(meterDevices)}::uuid[])`);
    if (taskGroup) {
      where.push(
        `m.id in (select meter_device_id from meter_device_task_groups where amr_task_group_id = ${parameters.add(taskGroup)})`,
      );
    }
    if (series) where.push(`s.name = any(${parameters.add(series)}::text[])`);
    const rows = await cancellableQuery<ExportedRegister>(
      this.database.pool,
      signal,
      `select r.id, m.id as "meterDevice", m.name as meter, s.name as series, s.unit
         from register r join meter_device m on m.id = r.meter_device_id join series s on s.id = r.series_id
        where ${where.join(' and ')} order by r.id limit ${BLOCK_REGISTERS}`,
      parameters.values,
    );
    return new Map(rows.map((row) => [row.id, row]));
  }

  private readingsFrom(
    ids: readonly number[],
    { from, to }: ExportRequest,
    after: Place,
    signal: AbortSignal,
  ): Promise<PackedReadings[]> {
    return cancellableQuery<PackedReadings>(
      this.database.pool,
      signal,
      `select * from (${packed(`
         select r.id, x.measured_at, x.value, x.quality
           from (select id from unnest($1::int[]) id order by id) r
          cross join lateral (
            select measured_at, value, quality from meter_reading
             where register_id = r.id and measured_at >= $2 and measured_at < $3 and (r.id <> $4 or measured_at > $5)
             order by measured_at limit ${PAGE_READINGS}) x
          order by r.id, x.measured_at limit ${PAGE_READINGS}`)}) p order by id`,
      [ids, from, to, after.register, preciseInstant(after.time)],
    );
  }

  /** Throws `NOT_FOUND` for meters and a group that the organization does not have. */
  private async requireSelected(
    organizationId: string,
    { meterDevices = [], taskGroup }: ExportRequest,
  ): Promise<void> {
    const asked = [
      ...meterDevices.map((id) => ({ kind: 'MeterDevice', table: 'meter_device', field: 'meterDevice', id })),
      ...(taskGroup === undefined
        ? []
        : [{ kind: 'AmrTaskGroup', table: 'amr_task_group', field: 'taskGroup', id: taskGroup }]),
    ];
    for (const table of new Set(asked.map((each) => each.table))) {
      const of = asked.filter((each) => each.table === table);
      const { rows } = await this.database.pool.query<{ id: string }>(
        `select id from ${table} where organization_id = $1 and id = any($2::uuid[])`,
        [organizationId, of.map(({ id }) => id).filter(isUuid)],
      );
      const known = new Set(rows.map(({ id }) => id));
      const missing = of.find(({ id }) => !known.has(id.toLowerCase()));
      if (missing) throw notFound(missing.kind, missing.id, missing.field);
    }
  }
}

/** Before every reading: 1900. */
const MIN_TIME = -3_155_760_000_000_000;
const CSV_HEADER = 'meterDevice,meter,series,unit,timestamp,value,quality,cursor\r\n';

function csvRows(register: ExportedRegister, times: readonly number[], pack: PackedReadings): string {
  const { meterDevice, meter, series, unit } = register;
  const head = `${meterDevice},${csvText(meter)},${csvText(series)},${csvText(unit ?? '')},`;
  const values = pack.values.split(',');
  let text = '';
  for (const [index, time] of times.entries()) {
    const quality = pack.qualities?.[index] ?? 0;
    const codes = quality === 0 ? '' : csvText(qualityCodes(quality).join(','));
    text += `${head}${instantText(time)},${values[index]!},${codes},${encodePlace(register.id, time)}\r\n`;
  }
  return text;
}

function ndjsonRows(register: ExportedRegister, times: readonly number[], pack: PackedReadings): string {
  const { meterDevice, meter, series, unit } = register;
  const head = JSON.stringify({ meterDevice, meter, series, unit }).slice(0, -1);
  const values = pack.values.split(',');
  let text = '';
  for (const [index, time] of times.entries()) {
    const quality = pack.qualities?.[index] ?? 0;
    const codes = quality === 0 ? '[]' : JSON.stringify(qualityCodes(quality));
    text += `${head},"timestamp":"${instantText(time)}","value":"${values[index]!}","quality":${codes},"cursor":"${encodePlace(register.id, time)}"}\n`;
  }
  return text;
}

/** With milliseconds, as everywhere; microseconds only where there are any, so that no two rows of a register look the same. */
function instantText(microseconds: number): string {
  const precise = preciseInstant(microseconds);
  return precise.endsWith('000Z') ? `${precise.slice(0, -'000Z'.length)}Z` : precise;
}

function encodePlace(register: number, time: number): string {
  return `${register.toString(36)}.${time.toString(36)}`;
}

function decodePlace(cursor: string): Place {
  const [, register, time] = /^([1-9a-z][0-9a-z]{0,5})\.(-?[0-9a-z]{1,11})$/.exec(cursor) ?? [];
  if (register === undefined || time === undefined) throw wrongCursor();
  const place = { register: parseInt(register, 36), time: parseInt(time, 36) };
  if (place.register > MAX_REGISTER || place.time < MIN_TIME || place.time > -2 * MIN_TIME) throw wrongCursor();
  return place;
}
