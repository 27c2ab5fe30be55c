import { isDecimal } from '../../domain/decimal.js';
import type { ArchiveColumn } from './archive.js';
import { parseMeterTime } from './meter-time.js';
import type { Lis200Profile } from './profiles.js';
import type { MeterZone } from './zone.js';

/** Status bit of readings from a row whose check cell is not in order: the device itself found the row damaged. */
export const STATUS_CHECK_FAILED = 1;

export interface ArchiveReading {
  series: string;
  /** Milliseconds since the epoch: the end of the row's period. */
  measuredAt: number;
  value: string;
  unit?: string;
  status?: number;
}

/**
 * The readings in archive rows. A cell is a reading when the profile lists its column's source and it holds a decimal.
 * Damaged rows are kept with `STATUS_CHECK_FAILED`. `problems` tells the rows that could not be used at all.
 */
export function archiveReadings(
  rows: readonly (readonly string[])[],
  columns: readonly ArchiveColumn[],
  profile: Lis200Profile,
  zone: MeterZone,
): { readings: ArchiveReading[]; problems: string[] } {
  const readings: ArchiveReading[] = [];
  const problems: string[] = [];
  const summerColumn = columns.findIndex(({ name }) => name === profile.summerTime.column);
  const readingColumns = columns
    .map((column, index) => ({ ...column, index }))
    // A monthly archive names one source for a mean and for its extremes: the first column is the value proper.
    .filter(({ source, index }) => profile.readings.has(source) && isFirst(columns, index));
  let previousMs = -Infinity;

  for (const row of rows) {
    const wallMs = row.map(parseMeterTime).find((time) => time !== undefined);
    if (row.length !== columns.length || wallMs === undefined) {
      problems.push(describeProblem(row, columns.length));
      continue;
    }
    const isSummer = summerColumn < 0 ? undefined : hasMessage(row[summerColumn]!, profile.summerTime.message);
    const measuredAt = zone.ofRow(wallMs, previousMs, isSummer);
    previousMs = measuredAt;
    const intact = row.some((cell) => cell.trim().toLowerCase() === profile.checkOk.toLowerCase());
    for (const { source, unit, index } of readingColumns) {
      const value = row[index]!;
      // A maximum or minimum is followed by the time it occurred at: it does not belong to the time of the row.
      if (!isDecimal(value) || parseMeterTime(row[index + 1] ?? '') !== undefined) continue;
      const series = profile.series.get(source) ?? source;
      readings.push({
        series,
        measuredAt,
        value,
        ...(unit === undefined ? {} : { unit }),
        status: intact ? 0 : STATUS_CHECK_FAILED,
      });
    }
  }
  return { readings, problems };
}

function isFirst(columns: readonly ArchiveColumn[], index: number): boolean {
  return columns.findIndex(({ source }) => source === columns[index]!.source) === index;
}

/** A status cell lists the numbers of the active messages, `0` for none. */
function hasMessage(cell: string, message: number): boolean {
  return (cell.match(/\d+/g) ?? []).some((number) => Number(number) === message);
}

function describeProblem(row: readonly string[], columns: number): string {
  if (row.length !== columns) return `a row has ${row.length} cells where the archive has ${columns} columns`;
  return `row ${row.slice(0, 2).join(', ')} has no valid time`;
}
