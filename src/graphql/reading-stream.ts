import type pg from 'pg';
import type { ReadingOrigin } from '../domain/enums.js';
import { qualityCodes } from '../domain/quality.js';
import { InputError } from '../errors.js';
import { decodeCursor, encodeCursor, type Place } from '../domain/cursor.js';
import { CAME_WITH } from './event-groups.js';
import { logBounds } from './log-pages.js';
import { extentOf, placeBehind, type ReadingRenderer } from './reading-channel.js';
import type { LoggedBatch } from './recent-batches.js';
import { cursorExpired } from './replay-log.js';

/** One committed reading as subscribers get it. */
export interface LiveReading {
  /** Resumes behind this reading; rises strictly. */
  readonly cursor: string;
  readonly meterDeviceId: string;
  /** Meters of all readings that came with it: whoever needs one will need the others. */
  readonly metersTogether: readonly string[];
  readonly series: string;
  readonly unit: string | null;
  readonly timestamp: Date;
  readonly value: string;
  readonly quality: string[];
  readonly origin: ReadingOrigin;
  readonly receivedAt: Date;
  readonly meteringPoint: string | null;
  readonly customerReference: string | null;
  readonly tariffReference: string | null;
  readonly revised: boolean;
  readonly late: boolean;
  /** The batch it was committed in. */
  readonly [CAME_WITH]: object;
}

/**
 * The place behind a client's cursor.
 * @throws InputError when the cursor is malformed or ahead of the log
 * @throws GraphQLError `CURSOR_EXPIRED` with `extensions.oldestCursor` when readings behind it have been purged
 */
export async function placeAfter(pool: pg.Pool, cursor: string): Promise<Place> {
  const place = decodeCursor(cursor);
  if (!place)
    throw new InputError('BAD_USER_INPUT', 'after is not a cursor of this API: pass one as it was received.', 'after');
  const { head, next } = await logBounds(pool, place.position);
  if (place.position > head + 1 || (place.position === head + 1 && place.taken > 0)) {
    throw new InputError(
      'BAD_USER_INPUT',
      'after is a cursor of another installation: it is ahead of everything stored here.',
      'after',
    );
  }
  if (next !== place.position) throw cursorExpired(next);
  return place;
}

/** The readings themselves, for whoever resolves them by the schema. */
export const liveReadings: ReadingRenderer<LiveReading> = {
  key: 'readings',
  render: (entry, columns) => readingsOfColumns(entry, new Set(columns)),
};

/** The readings of some columns, by the column's place. */
export function readingsOfColumns(entry: LoggedBatch, wanted: ReadonlySet<number>): Map<number, LiveReading[]> {
  const { position, batch } = entry;
  const { starts, size } = extentOf(entry);
  const receivedAt = new Date(batch.received_at);
  const metersTogether = [...new Set([...wanted].map((column) => batch.columns[column]!.meter))];
  const readings = new Map<number, LiveReading[]>();
  for (const index of wanted) {
    const column = batch.columns[index]!;
    const { place } = column;
    const late = new Set(column.late);
    readings.set(
      index,
      column.t.map((timestamp, i) => ({
        cursor: encodeCursor(placeBehind(position, starts[index]! + i + 1, size)),
        meterDeviceId: column.meter,
        metersTogether,
        series: column.series,
        unit: column.unit,
        timestamp: new Date(timestamp),
        value: column.v[i]!,
        quality: qualityCodes(column.q[i]!),
        origin: column.origin,
        receivedAt,
        meteringPoint: place?.metering_point ?? null,
        customerReference: place?.customer ?? null,
        tariffReference: place?.tariff ?? null,
        revised: column.revised ?? false,
        late: late.has(i),
        [CAME_WITH]: batch,
      })),
    );
  }
  return readings;
}
