import type { ArchiveRange } from './archive.js';
import { parseMeterTime } from './meter-time.js';
import type { MeterZone } from './zone.js';

/** A row of an archive at which a read that broke off can go on. */
export interface ArchivePlace {
  /** Order number of the row in its archive, from the column before the time: EK and DL column 2, TC column 1. */
  order: string;
  time: string;
  /** Rows of the window up to this one, itself included. */
  rows: number;
}

/**
 * The last of `rows` at which a read can go on. `rows` came for a range with the limits of `window`, oldest first;
 * `before` of the window came earlier. Undefined where the rows do not tell. `window` compares its limits with the
 * column of the time.
 */
export function lastSurePlace(
  rows: readonly (readonly string[])[],
  columns: number,
  window: ArchiveRange,
  zone: MeterZone,
  before = 0,
): ArchivePlace | undefined {
  let place: ArchivePlace | undefined;
  let previousOrder = -1;
  let previousMs = -Infinity;
  for (const [index, row] of rows.entries()) {
    const { order, time } = cellsOf(row, window);
    const wallMs = parseMeterTime(time);
    // What cannot be used has to come again, and all that is behind it comes with it.
    if (row.length !== columns || wallMs === undefined) return place;
    // Numbers that fall belong to a device that was reset; without numbers nothing tells one row from another.
    if (!isOrderNumber(order) || Number(order) <= previousOrder) return undefined;
    const instantMs = zone.ofRow(wallMs, previousMs);
    // Never at a time that the clock shows twice: the next try would not know which of the two it begins with.
    const isUnique = zone.instantsOf(wallMs).length === 1 && !zone.changesNear(instantMs);
    if (isUnique) place = { order, time, rows: before + index + 1 };
    previousOrder = Number(order);
    previousMs = instantMs;
  }
  return place;
}

/**
 * What is left of `window` from `place` on, its row included. By order numbers where there is no upper limit: no clock
 * disturbs them. Else by time, which hides what was written after the clock was put back: count the rows of the window.
 */
export function restOf(window: ArchiveRange, place: ArchivePlace): ArchiveRange {
  return window.to === ''
    ? { ...window, position: window.position - 1, from: place.order }
    : { ...window, from: place.time };
}

/** Index of the row of `place`; -1 when it was overwritten, or the device was reset or exchanged. */
export function indexOfPlace(
  rows: readonly (readonly string[])[],
  window: ArchiveRange,
  place: Pick<ArchivePlace, 'order' | 'time'>,
): number {
  return rows.findIndex((row) => {
    const { order, time } = cellsOf(row, window);
    return order === place.order && time === place.time;
  });
}

export function isOrderNumber(cell: string): boolean {
  return /^\d{1,15}$/.test(cell);
}

function cellsOf(row: readonly string[], { position }: ArchiveRange): { order: string; time: string } {
  return { order: row[position - 2] ?? '', time: row[position - 1] ?? '' };
}
