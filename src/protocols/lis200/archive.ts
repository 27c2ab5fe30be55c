import { parseDataBlock, type DataSet } from '../iec62056-21/data-set.js';
import type { Procedure } from '../iec62056-21/procedure.js';
import { readBlocks, readText } from '../iec62056-21/programming-mode.js';
import { objectName, parseAddress } from './address.js';
import {
  ARCHIVE_EMPTY,
  errorNumber,
  Lis200Error,
  LOWER_LIMIT_NOT_FOUND,
  ROW_OVERWRITTEN,
  UPPER_LIMIT_NOT_FOUND,
} from './error-telegram.js';
import { canonicalUnit } from './units.js';

/** A range of an archive. Rows come oldest first. */
export interface ArchiveRange {
  archive: number;
  /** Column, from 1, that the limits are compared with. */
  position: number;
  /** Inclusive limits as the device writes that column; empty is open. */
  from: string;
  to: string;
}

export interface ArchiveColumn {
  /** Object name of the source, such as `2:300`; empty for columns that have none. */
  source: string;
  unit: string | undefined;
  /** Short description of the device; empty when not asked for. */
  name: string;
}

const MAX_RESTARTS = 3;

/** What the columns of an archive are: sources (attribute 4), units (3) and, if `withNames`, descriptions (2). */
export function* readArchiveColumns(
  { archive, position }: ArchiveRange,
  { withNames }: { withNames: boolean },
): Procedure<ArchiveColumn[]> {
  const sources = yield* readHeader(archive, position, '4');
  const units = yield* optional(readHeader(archive, position, '3'));
  const names = withNames ? yield* optional(readHeader(archive, position, '2')) : [];
  return sources.map(({ value }, index) => {
    const address = parseAddress(value);
    const unit = canonicalUnit(units[index]?.value);
    return { source: address ? objectName(address) : '', unit, name: names[index]?.value.trim() ?? '' };
  });
}

/**
 * Appends the rows of `range` to `rows`, so that a read that breaks off leaves what it had. A row appears once, however
 * often the device repeats it: order numbers make rows unique. No rows in the range is not an error while the range is
 * open at its end. Throws `Lis200Error` for any other refusal.
 */
export function* readArchiveRows(
  range: ArchiveRange,
  layout: { columns: number; rowsPerBlock: number },
  rows: string[][],
): Procedure<void> {
  const phase = `read archive ${range.archive}`;
  const seen = new Set<string>();
  let { from } = range;
  for (let restarts = 0; ; restarts++) {
    let refusal: number | undefined;
    const command = `${range.archive}:V.0(${range.position};${from};${range.to};${layout.rowsPerBlock})`;
    yield* readBlocks(phase, command, (block) => {
      for (const line of parseDataBlock(block)) {
        const number = errorNumber(line);
        if (number === undefined) addRows(line);
        else refusal = number;
      }
    });
    if (refusal === undefined || isNothingNew(refusal, range.to === '')) return;
    if (refusal !== ROW_OVERWRITTEN || restarts === MAX_RESTARTS) throw new Lis200Error(refusal, phase);
    // The device stored a new row over the one it was about to send: go on from the last one that came.
    from = rows.at(-1)?.[range.position - 1] ?? from;
  }

  function addRows(line: readonly DataSet[]): void {
    for (const row of splitRows(line, layout.columns)) {
      const key = row.join(')(');
      if (!seen.has(key)) rows.push(row);
      seen.add(key);
    }
  }
}

/** One line is one row, but some devices join rows without line ends. */
function splitRows(line: readonly DataSet[], columns: number): string[][] {
  const cells = line.map(({ value, unit }) => (unit === undefined ? value : `${value}*${unit}`));
  if (columns === 0 || cells.length % columns !== 0) return [cells];
  return Array.from({ length: cells.length / columns }, (_, row) => cells.slice(row * columns, (row + 1) * columns));
}

function isNothingNew(number: number, openEnd: boolean): boolean {
  return (
    number === ARCHIVE_EMPTY || (openEnd && (number === LOWER_LIMIT_NOT_FOUND || number === UPPER_LIMIT_NOT_FOUND))
  );
}

function* readHeader(archive: number, position: number, attribute: string): Procedure<DataSet[]> {
  const phase = `read columns of archive ${archive}`;
  const sets = parseDataBlock(yield* readText(phase, `${archive}:V.${attribute}(${position};;;)`)).flat();
  const number = errorNumber(sets);
  if (number !== undefined) throw new Lis200Error(number, phase);
  return sets;
}

function* optional(header: Procedure<DataSet[]>): Procedure<DataSet[]> {
  try {
    return yield* header;
  } catch (error) {
    if (error instanceof Lis200Error && error.code === 'NOT_AVAILABLE') return [];
    throw error;
  }
}
