import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { basename } from 'node:path';
import { createGunzip } from 'node:zlib';
import { parse } from 'csv-parse';
import { isDecimal } from '../domain/decimal.js';
import { parseInstant } from '../domain/instant.js';
import { isPrintable } from '../domain/text.js';
import { InputError, messageOf } from '../errors.js';
import type { LoadReading, ReadingSource } from './load.js';
import { wallTimeReader } from './wall-time.js';

/** Rows of a file that are read at most: they are sorted by time in memory. */
const MAX_ROWS = 2_000_000;
const MAX_METERS = 10_000;
const MAX_NAME = 150;
const OLDEST = Date.UTC(2000, 0, 1);

/** Names that each column goes by, where `--columns` does not say. */
const KNOWN = {
  meter: ['meter', 'meter_id', 'meter_device', 'device', 'lclid', 'serial_number', 'id'],
  timestamp: ['timestamp', 'interval_ts', 'time', 'datetime', 'date_time', 'measured_at', 'ts', 'tstp'],
  value: ['value', 'kwh', 'reading', 'energy', 'energy(kwh/hh)', 'index', 'volume', 'm3'],
} as const;
type Column = keyof typeof KNOWN;

export interface CsvOptions {
  /** Header names of meter, timestamp and value. @default detected */
  columns?: readonly string[] | undefined;
  /** Zone of times without offset; without it such a time is an error. */
  zone?: string | undefined;
  /** Readings that are taken: the first in time over all meters. */
  readings: number;
}

/**
 * Readings of a CSV file (`.gz`: compressed) with a header, in the order of time over all meters. Rows with an empty value are
 * left out and counted. Throws `InputError` with the line at fault.
 */
export async function readCsv(file: string, options: CsvOptions): Promise<ReadingSource> {
  const wallTime = options.zone === undefined ? undefined : wallTimeReader(options.zone);
  const indexes = new Map<string, number>();
  const readings: LoadReading[] = [];
  let blank = 0;
  let columns: Record<Column, number> | undefined;

  const take = (row: readonly string[], line: number) => {
    if (!columns) return void (columns = findColumns(row, options.columns, file));
    const [name, time, value] = [row[columns.meter]!, row[columns.timestamp]!, row[columns.value]!];
    const refuse = (what: string) => new InputError('BAD_USER_INPUT', `${file}, line ${line}: ${what}`);
    if (value === '') return void blank++;
    if (!isDecimal(value)) throw refuse(`the value ${quoted(value)} is no decimal such as 9000.125.`);
    if (name === '' || name.length > MAX_NAME || !isPrintable(name))
      throw refuse(`the meter ${quoted(name)} must have 1 to ${MAX_NAME} printable characters.`);
    const measuredAt = parseInstant(time) ?? wallTime?.(time);
    if (measuredAt === undefined) throw refuse(timeProblem(time, options.zone));
    if (measuredAt < OLDEST || measuredAt > Date.now())
      throw refuse(`${quoted(time)} is before the year 2000 or in the future, which ingesters refuse.`);
    let meter = indexes.get(name);
    if (meter === undefined) indexes.set(name, (meter = indexes.size));
    if (indexes.size > MAX_METERS) throw refuse(`there are more than ${MAX_METERS} meters; give a smaller file.`);
    readings.push({ meter, measuredAt, value });
    if (readings.length > MAX_ROWS)
      throw refuse(`there are more than ${MAX_ROWS.toLocaleString('en')} rows; give the first rows only.`);
  };
  await eachRow(file, take);
  if (readings.length === 0) throw new InputError('BAD_USER_INPUT', `${file} holds no readings.`);

  const intervalSeconds = usualInterval(readings);
  readings.sort((a, b) => a.measuredAt - b.measuredAt || a.meter - b.meter);
  const taken = readings.slice(0, options.readings);
  const left = readings.length - taken.length;
  return {
    meters: [...indexes.keys()],
    readings: taken,
    intervalSeconds,
    description:
      basename(file) +
      (left > 0
        ? `, the first ${taken.length.toLocaleString('en')} of ${readings.length.toLocaleString('en')} readings`
        : '') +
      (blank > 0 ? `, ${blank} rows without a value left out` : ''),
  };
}

async function eachRow(file: string, take: (row: readonly string[], line: number) => void): Promise<void> {
  const parser = parse({ bom: true, trim: true, info: true, skip_empty_lines: true, max_record_size: 100_000 });
  parser.on('data', ({ record, info }: { record: string[]; info: { lines: number } }) => {
    try {
      take(record, info.lines);
    } catch (error) {
      parser.destroy(error as Error);
    }
  });
  try {
    const input = createReadStream(file);
    await (file.endsWith('.gz') ? pipeline(input, createGunzip(), parser) : pipeline(input, parser));
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError('BAD_USER_INPUT', `${file} cannot be read: ${messageOf(error)}`);
  }
}

function findColumns(
  header: readonly string[],
  named: readonly string[] | undefined,
  file: string,
): Record<Column, number> {
  const lower = header.map((name) => name.toLowerCase());
  const find = (column: Column, place: number) => {
    const candidates: readonly string[] = named ? [named[place]!.toLowerCase()] : KNOWN[column];
    const index = candidates.map((name) => lower.indexOf(name)).find((found) => found >= 0);
    if (index !== undefined) return index;
    throw new InputError(
      'BAD_USER_INPUT',
      `${file} has no column ${named ? quoted(named[place]!) : `for the ${column}`}; it has ${header.map(quoted).join(', ')}. ` +
        'Name meter, timestamp and value in this order: --columns meter_id,interval_ts,kwh',
    );
  };
  return { meter: find('meter', 0), timestamp: find('timestamp', 1), value: find('value', 2) };
}

function timeProblem(time: string, zone: string | undefined): string {
  return zone === undefined
    ? `the time ${quoted(time)} carries no offset; say which zone it is in, such as --zone UTC.`
    : `the time ${quoted(time)} does not exist in ${zone}; expected is a form such as 2026-01-31 10:00:00.`;
}

/** Seconds between two readings of a meter that occur most often; an hour where no meter has two. */
function usualInterval(readings: readonly LoadReading[]): number {
  const before = new Map<number, number>();
  const counts = new Map<number, number>();
  for (const { meter, measuredAt } of readings) {
    const last = before.get(meter);
    if (last !== undefined && measuredAt !== last) {
      const seconds = Math.abs(measuredAt - last) / 1000;
      counts.set(seconds, (counts.get(seconds) ?? 0) + 1);
    }
    before.set(meter, measuredAt);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 3600;
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 60));
}
