import { MeterError } from '../../errors.js';
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

type Header = readonly DataSet[];

const MAX_RESTARTS = 3;

/** What the columns of an archive are: sources (attribute 4), units (3) and, if `withNames`, descriptions (2). */
export function* readArchiveColumns(
  { archive, position }: ArchiveRange,
  { withNames }: { withNames: boolean },
): Procedure<ArchiveColumn[]> {
  const sources = yield* readHeader(archive, position, '4', isSources);
  // Headers tell no address of their own, and no two are alike: one that came before is a late repetition.
  const afterSources = (sets: Header) => !isAlike(sets, sources);
  const units = yield* optional(readHeader(archive, position, '3', afterSources));
  const afterUnits = (sets: Header) => afterSources(sets) && !isAlike(sets, units);
  const names = withNames ? yield* optional(readHeader(archive, position, '2', afterUnits)) : [];
  return sources.map(({ value }, index) => {
    const address = parseAddress(value);
    const unit = canonicalUnit(units[index]?.value);
    return { source: address ? objectName(address) : '', unit, name: names[index]?.value.trim() ?? '' };
  });
}

/** How many rows `range` has (attribute A). Throws `MeterError` when the device does not tell. */
export function* countArchiveRows({ archive, position, from, to }: ArchiveRange): Procedure<number> {
  const phase = `count rows of archive ${archive}`;
  const sets = parseDataBlock(yield* readText(phase, `${archive}:V.A(${position};${from};${to};)`)).flat();
  const number = errorNumber(sets);
  if (number !== undefined) throw new Lis200Error(number, phase);
  const count = sets[0]?.value.trim() ?? '';
  if (!/^\d{1,9}$/.test(count)) throw new MeterError('REFUSED', `the meter answered ${JSON.stringify(count)}`, phase);
  return Number(count);
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

/** `isHeader` tells the header asked for from a late answer to an earlier question. */
function* readHeader(
  archive: number,
  position: number,
  attribute: string,
  isHeader: (sets: Header) => boolean,
): Procedure<DataSet[]> {
  const phase = `read columns of archive ${archive}`;
  const isAnswer = (text: string) => {
    const sets = parseDataBlock(text).flat();
    return errorNumber(sets) !== undefined || isHeader(sets);
  };
  const sets = parseDataBlock(yield* readText(phase, `${archive}:V.${attribute}(${position};;;)`, isAnswer)).flat();
  const number = errorNumber(sets);
  if (number !== undefined) throw new Lis200Error(number, phase);
  return sets;
}

/** A row, a unit or a name taken for it would make an archive without a single reading. */
function isSources(sets: Header): boolean {
  return sets.some(({ value }) => parseAddress(value) !== undefined);
}

function isAlike(a: Header, b: Header): boolean {
  return a.length === b.length && a.every(({ value }, index) => value === b[index]?.value);
}

function* optional(header: Procedure<DataSet[]>): Procedure<DataSet[]> {
  try {
    return yield* header;
  } catch (error) {
    if (error instanceof Lis200Error && error.code === 'NOT_AVAILABLE') return [];
    throw error;
  }
}
