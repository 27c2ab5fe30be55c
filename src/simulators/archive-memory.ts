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

const WITHOUT_MINUTES = ARCHIVES.filter(({ number }) => number !== 13);

export interface ArchiveMemoryOptions {
  curve: LoadCurve;
  utcOffsetMs: number;
  /** Local device time: rows exist for periods that ended later. */
  installedLocalMs: number;
  /** Whether the one-minute archive 13 exists. */
  minuteArchive: boolean;
  /** Rows that were lost: those of `archive`, or of all, with `from` ≤ local device time ≤ `to`. */
  gap?: { from: number; to: number; archive?: ArchiveNumber };
  /** Local device times of restarts, each a row of the hourly archive between the regular ones. @default none */
  powerUps?: readonly number[];
  /** Rows that an archive keeps at most. @default as the device */
  rows?: number;
}

/** The limits of an archive request: compare column `position` (1-based) with `from` and `to`, both inclusive, empty = open. */
export interface ArchiveRange {
  position: number;
  from: string;
  to: string;
}

/** The archives of one meter. Nothing is stored: a row is a function of its order number, which rows exist of the clock. */
export class ArchiveMemory {
  private readonly archives: readonly Archive[];
  /** Rising; none before the installation, none at the end of a period: its row tells that instant already. */
  private readonly powerUps: readonly number[];

  constructor(private readonly options: ArchiveMemoryOptions) {
    const { minuteArchive, rows = Infinity, powerUps = [] } = options;
    const kept = minuteArchive ? ARCHIVES : WITHOUT_MINUTES;
    this.archives =
      rows === Infinity ? kept : kept.map((archive) => ({ ...archive, depth: Math.min(rows, archive.depth) }));
    this.powerUps = [...new Set(powerUps)]
      .filter((at) => at > options.installedLocalMs && HOURS.endOf(HOURS.lastEndedAt(at)) !== at)
      .sort((a, b) => a - b);
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
    const events = this.powerUpsOf(archive);
    const before = events.filter((at) => this.newest(archive, at) < order).length;
    const powerUpMs = events.find((at) => this.newest(archive, at) === order);
    const localMs = powerUpMs ?? archive.periods.endOf(this.installed(archive) + order - before);
    const globalOrder = () => this.globalOrder(archive, localMs);
    return { globalOrder, order, localMs, utcOffsetMs, curve, ...(powerUpMs !== undefined && { powerUp: true }) };
  }

  /** Order number of the newest row at `localMs`, lost or not; 0 while there is none. */
  newest(archive: Archive, localMs: number): number {
    const periods = Math.max(0, archive.periods.lastEndedAt(localMs) - this.installed(archive));
    return periods + this.powerUpsOf(archive).filter((at) => at <= localMs).length;
  }

  /** Whether the row was lost. */
  isLost(archive: Archive, { localMs }: ArchiveRow): boolean {
    const { gap } = this.options;
    if (!gap || (gap.archive ?? archive.number) !== archive.number) return false;
    return localMs >= gap.from && localMs <= gap.to;
  }

  /**
   * Order numbers of the stored rows within `range` at `localMs`, at least one, rising.
   * @throws ErrorTelegram 101 for a column that does not rise from row to row, 103 empty archive, 104 no row from the lower limit
   * on (also when rows lie on both sides of the range but none in it), 105 none up to the upper one, 200 for a limit that
   * is not of the column's kind.
   */
  select(archive: Archive, range: ArchiveRange, localMs: number): number[] {
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
    const orders = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
    const stored = this.options.gap
      ? orders.filter((order) => !this.isLost(archive, this.row(archive, order)))
      : orders;
    if (stored.length === 0) throw new ErrorTelegram('fromNotFound');
    return stored;
  }

  private powerUpsOf(archive: Archive): readonly number[] {
    return archive.number === 3 ? this.powerUps : [];
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
