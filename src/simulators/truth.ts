import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ArchiveNumber } from './archive-memory.js';
import type { Lis200Meter } from './lis200-meter.js';

/** One counter or measurement cell of an archive. */
export interface TruthCell {
  meter: string;
  serialNumber: string;
  archive: ArchiveNumber;
  /** Normalised address, such as `2:300`. */
  series: string;
  /** UTC, such as `2026-01-31T09:00:00.000Z`: the end of the period. */
  timestamp: string;
  /** Decimal text as the meter tells it. */
  value: string;
}

/** Cells whose text is handed to the file at once. */
const CELLS_PER_WRITE = 2000;

/**
 * Every counter and measurement cell of `archive` with `from` ≤ timestamp ≤ `to` (milliseconds since the epoch) that the meter
 * has written by `now` and not lost, oldest first; also those that it has overwritten since.
 */
export function* truthOf(
  name: string,
  meter: Lis200Meter,
  archive: ArchiveNumber,
  { from, to, now }: { from: number; to: number; now: number },
): Generator<TruthCell, void, void> {
  const { archives, serialNumber } = meter;
  const memory = archives.archive(archive);
  const localOf = (utcMs: number) => utcMs + meter.utcOffsetMs;
  const last = archives.newest(memory, Math.min(localOf(to), meter.localMs(now)));
  for (let order = archives.newest(memory, localOf(from) - 1) + 1; order <= last; order++) {
    const row = archives.row(memory, order);
    if (archives.isLost(memory, row)) continue;
    const timestamp = new Date(row.localMs - row.utcOffsetMs).toISOString();
    for (const { measurement, text } of memory.columns) {
      if (!measurement) continue;
      const value = text(row);
      yield { meter: name, serialNumber, archive, series: measurement.series, timestamp, value };
    }
  }
}

/** Writes `cells` as CSV and puts the finished file in the place of `file`, so that no reader meets half of it. */
export async function writeTruthFile(file: string, cells: Iterable<TruthCell>): Promise<void> {
  const unfinished = `${file}.${process.pid}.tmp`;
  try {
    await pipeline(Readable.from(csv(cells)), createWriteStream(unfinished));
    await rename(unfinished, file);
  } finally {
    await rm(unfinished, { force: true });
  }
}

function* csv(cells: Iterable<TruthCell>): Generator<string, void, void> {
  let text = 'meter,serial_number,archive,series,timestamp,value\n';
  let count = 0;
  for (const { meter, serialNumber, archive, series, timestamp, value } of cells) {
    text += `${meter},${serialNumber},${archive},${series},${timestamp},${value}\n`;
    if (++count % CELLS_PER_WRITE === 0) {
      yield text;
      text = '';
    }
  }
  yield text;
}
