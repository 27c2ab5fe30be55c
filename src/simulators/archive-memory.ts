import { MONTHLY_COLUMNS, PERIOD_COLUMNS, type ArchiveColumn, type ArchiveRow } from './archive-columns.js';
import { ErrorTelegram } from './error-telegram.js';
import type { LoadCurve } from './load-curve.js';
import { GAS_DAYS, GAS_MONTHS, HOURS, MINUTES, type PeriodGrid } from './period-grid.js';

export type ArchiveNumber = 1 | 3 | 7 | 13;

export interface Archive {
  number: ArchiveNumber;
  periods: PeriodGrid;
  /** Rows kept; the oldest make room. */
  depth: number;
  columns: readonly ArchiveColumn[];
}

/** From the shortest period to the longest, the order in which rows of one instant are written. */
const ARCHIVES: readonly Archive[] = [
  { number: 13, periods: MINUTES, depth: 2 * 1440, columns: PERIOD_COLUMNS },
  { number: 3, periods: HOURS, depth: 275 * 24, columns: PERIOD_COLUMNS },
  { number: 7, periods: GAS_DAYS, depth: 600, columns: PERIOD_COLUMNS },
  { number: 1, periods: GAS_MONTHS, depth: 15, columns: MONTHLY_COLUMNS },
];

export interface ArchiveMemoryOptions {
  curve: LoadCurve;
  utcOffsetMs: number;
  /** Local device time: rows exist for periods that ended later. */
  installedLocalMs: number;
  /** Whether the one-minute archive 13 exists. */
  minuteArchive: boolean;
}

/** The limits of an archive request: compare column `position` (1-based) with `from` and `to`, both inclusive, empty = open. */
export interface ArchiveRange {
  position: number;
  from: string;
  to: string;
}

/** Order numbers of consecutive rows, both included. */
export interface OrderRange {
  first: number;
  last: number;
}

/** The archives of one meter. Nothing is stored: a row is a function of its order number, which rows exist of the clock. */
export class ArchiveMemory {
  private readonly archives: readonly Archive[];

  constructor(private readonly options: ArchiveMemoryOptions) {
    this.archives = ARCHIVES.filter((archive) => archive.number !== 13 || options.minuteArchive);
  }

  get numbers(): ArchiveNumber[] {
    return this.archives.map((archive) => archive.number);
  }

  /** @throws ErrorTelegram 100 when the meter has no such archive. */
  archive(number: number): Archive {
    const found = this.archives.find((archive) => archive.number === number);
    if (!found) throw new ErrorTelegram('noSuchArchive');
    return found;
  }

  /** Row `order` (1 is the first after installation). */
  row(archive: Archive, order: number): ArchiveRow {
    const { curve, utcOffsetMs } = this.options;
    const localMs = archive.periods.endOf(this.installed(archive) + order);
    return { globalOrder: () => this.globalOrder(archive, localMs), order, localMs, utcOffsetMs, curve };
  }

  /** Order number of the newest row at `localMs`; 0 while there is none. */
  newest(archive: Archive, localMs: number): number {
    return Math.max(0, archive.periods.lastEndedAt(localMs) - this.installed(archive));
  }

  /**
   * The stored rows within `range` at `localMs`, at least one.
   * @throws ErrorTelegram 101 for a column that does not rise from row to row, 103 empty archive, 104 no row from the lower limit
   * on (also when rows lie on both sides of the range but none in it), 105 none up to the upper one, 200 for a limit that
   * is not of the column's kind.
   */
  select(archive: Archive, range: ArchiveRange, localMs: number): OrderRange {
    const { rising } = archive.columns[range.position - 1] ?? {};
    if (!rising) throw new ErrorTelegram('noSuchPosition');
    const from = range.from === '' ? -Infinity : rising.parse(range.from);
    const to = range.to === '' ? Infinity : rising.parse(range.to);
    if (from === undefined || to === undefined) throw new ErrorTelegram('syntax');

    const newest = this.newest(archive, localMs);
    if (newest === 0) throw new ErrorTelegram('archiveEmpty');
    const oldest = Math.max(1, newest - archive.depth + 1);
    const cell = (order: number) => rising.value(this.row(archive, order));
    const first = firstOrder(oldest, newest, (order) => cell(order) >= from);
    const last = firstOrder(oldest, newest, (order) => cell(order) > to) - 1;
    if (last < oldest) throw new ErrorTelegram('toNotFound');
    if (first > last) throw new ErrorTelegram('fromNotFound');
    return { first, last };
  }

  private installed(archive: Archive): number {
    return archive.periods.lastEndedAt(this.options.installedLocalMs);
  }

  /** Rows written before and including this one: of the same instant, only those of archives with shorter periods. */
  private globalOrder(archive: Archive, localMs: number): number {
    const own = this.archives.indexOf(archive);
    return this.archives.reduce((sum, other, i) => sum + this.newest(other, i <= own ? localMs : localMs - 1), 0);
  }
}

/** The first of the orders `oldest` to `newest` that `holds` is true for, true from there on; `newest + 1` when there is none. */
function firstOrder(oldest: number, newest: number, holds: (order: number) => boolean): number {
  let [low, high] = [oldest, newest + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
