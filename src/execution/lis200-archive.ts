import { z } from 'zod';
import { MeterError } from '../errors.js';
import {
  countArchiveRows,
  readArchiveColumns,
  readArchiveRows,
  type ArchiveRange,
} from '../protocols/lis200/archive.js';
import {
  indexOfPlace,
  isOrderNumber,
  lastSurePlace,
  restOf,
  type ArchivePlace,
} from '../protocols/lis200/archive-place.js';
import { archiveReadings } from '../protocols/lis200/archive-readings.js';
import { parseMeterTime } from '../protocols/lis200/meter-time.js';
import type { CallOutcome } from './execution-context.js';
import type { Lis200Session } from './lis200-session.js';

const meterTime = z.string().refine((text) => parseMeterTime(text) !== undefined);

/** What an archive read that broke off leaves for the next try: the window of the first one, and how far it came. */
const ArchiveResume = z.object({
  from: meterTime,
  to: z.union([meterTime, z.literal('')]),
  last: z.object({ order: z.string().refine(isOrderNumber), time: meterTime, rows: z.int().min(1) }).optional(),
});
export type ArchiveResume = z.infer<typeof ArchiveResume>;

/** The state of an earlier try, or undefined where there is none or it makes no sense: then the try is a first one. */
export function parseArchiveResume(resume: unknown): ArchiveResume | undefined {
  return ArchiveResume.safeParse(resume).data;
}

/**
 * Reads the rows of `window` that an earlier try has not read, or all of them. Readings and, should it fail, where to
 * go on are in `outcome` at each moment.
 */
export async function readArchive(
  session: Lis200Session,
  window: ArchiveRange,
  outcome: CallOutcome,
  last?: ArchivePlace,
): Promise<void> {
  const { profile } = session;
  const progress = (place: ArchivePlace | undefined) => {
    const state: ArchiveResume = { from: window.from, to: window.to, ...(place && { last: place }) };
    outcome.resume = { ...state };
  };
  progress(last);
  const zone = await session.zone();
  // Only a device that switches needs the column that says which of two equal times a row means.
  const columns = await session.read(() => readArchiveColumns(window, { withNames: zone.switches }));
  const layout = { columns: columns.length, rowsPerBlock: profile.rowsPerBlock };

  async function readRows(range: ArchiveRange, place?: ArchivePlace): Promise<string[][]> {
    const rows: string[][] = [];
    try {
      await session.read(() => readArchiveRows(range, layout, rows));
      return rows;
    } finally {
      const { readings, problems } = archiveReadings(rows, columns, profile, zone);
      outcome.readings = outcome.readings.concat(readings);
      if (problems.length > 0) outcome.error = unusableRows(window.archive, rows.length, problems);
      const start = place ? indexOfPlace(rows, window, place) : 0;
      if (rows.length > 0 && start < 0) progress(undefined);
      else if (rows.length > 0) {
        const sure = lastSurePlace(rows.slice(start), columns.length, window, zone, place ? place.rows - 1 : 0);
        progress(sure ?? place);
      }
    }
  }

  /** Reads from `place` on. False when that does not join what was read up to it without a hole. */
  async function goOn(place: ArchivePlace): Promise<boolean> {
    const expected = window.to === '' ? undefined : await session.read(() => countArchiveRows(window));
    const rows = await readRows(restOf(window, place), place);
    const start = indexOfPlace(rows, window, place);
    return start >= 0 && (expected === undefined || expected === place.rows - 1 + rows.length - start);
  }

  if (last) {
    if (await goOn(last).catch(falseWhenRefused)) return;
    progress(undefined);
    delete outcome.error;
  }
  await readRows(window);
}

/** Another device, or one that was reset, may not know the place. */
function falseWhenRefused(error: unknown): false {
  if (error instanceof MeterError && (error.code === 'REFUSED' || error.code === 'NOT_AVAILABLE')) return false;
  throw error;
}

function unusableRows(archive: number, rows: number, problems: readonly string[]): MeterError {
  const message = `${problems.length} of ${rows} rows could not be used: ${problems[0]}`;
  return new MeterError('PROTOCOL', message, `read archive ${archive}`);
}
