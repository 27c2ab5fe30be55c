import { GraphQLError } from 'graphql';
import type pg from 'pg';
import type { ReadingOrigin } from '../domain/enums.js';
import { qualityCodes } from '../domain/quality.js';
import { InputError } from '../errors.js';
import type { Logger } from '../telemetry.js';
import { decodeCursor, encodeCursor, type Place } from '../domain/cursor.js';
import { CAME_WITH } from './event-groups.js';
import { replays } from './live-metrics.js';
import { logBounds, readLogPage } from './log-pages.js';
import type { ReadingFilter } from './reading-filter.js';
import type { ReadingTail } from './reading-tail.js';
import type { LoggedBatch } from './recent-batches.js';

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

export interface ReadingStreamOptions {
  tail: ReadingTail;
  pool: pg.Pool;
  log: Logger;
  filter: ReadingFilter;
  from: Place;
}

/**
 * All readings that match from a place on, without hole or repeat, until the signal aborts. The subscriber is only its
 * place: it takes batches from the recent ones, and pages the log by itself where it lags behind them. So a slow reader
 * costs one page of memory, and is live again once it has caught up.
 * @throws GraphQLError `CURSOR_EXPIRED` when the log has been purged past the place
 */
export async function* streamReadings(
  options: ReadingStreamOptions,
  signal: AbortSignal,
): AsyncGenerator<LiveReading, void, void> {
  const { tail, pool, log, filter } = options;
  let { position, taken } = options.from;
  let page: LoggedBatch[] = [];
  let replaying = false;
  while (!signal.aborted) {
    if (position > tail.recent.head) {
      await tail.grown.wait(signal);
      continue;
    }
    let entry = tail.recent.get(position);
    if (entry) {
      page = [];
      replaying = false;
    } else {
      if (!replaying) replays.inc();
      replaying = true;
      if (page.length === 0) page = await readLogPage(pool, position, log);
      entry = page.shift();
      if (entry?.position !== position) throw await expired(pool, position);
    }
    await filter.refresh(log);
    if (entry.organization === filter.organizationId) yield* readingsOf(entry, taken, filter);
    position++;
    taken = 0;
  }
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

async function expired(pool: pg.Pool, position: number): Promise<GraphQLError> {
  return cursorExpired((await logBounds(pool, position)).next);
}

function cursorExpired(oldestPosition: number): GraphQLError {
  return new GraphQLError(
    'The readings behind this cursor are no longer in the log. Read them with the query readings, and go on live from oldestCursor.',
    {
      extensions: {
        code: 'CURSOR_EXPIRED',
        field: 'after',
        oldestCursor: encodeCursor({ position: oldestPosition, taken: 0 }),
      },
    },
  );
}

/** The matching readings of a batch, except the first `taken` of all its readings. */
export function* readingsOf(
  entry: LoggedBatch,
  taken: number,
  filter: Pick<ReadingFilter, 'matches'>,
): Generator<LiveReading> {
  const { position, batch } = entry;
  const size = batch.columns.reduce((sum, { t }) => sum + t.length, 0);
  const receivedAt = new Date(batch.received_at);
  const matching = batch.columns.filter((column) => filter.matches(column));
  const matches = new Set(matching);
  const metersTogether = [...new Set(matching.map(({ meter }) => meter))];
  let before = 0;
  for (const column of batch.columns) {
    if (matches.has(column)) {
      const { place } = column;
      const late = new Set(column.late);
      for (let i = Math.max(0, taken - before); i < column.t.length; i++) {
        const passed = before + i + 1;
        yield {
          cursor: encodeCursor(passed === size ? { position: position + 1, taken: 0 } : { position, taken: passed }),
          meterDeviceId: column.meter,
          metersTogether,
          series: column.series,
          unit: column.unit,
          timestamp: new Date(column.t[i]!),
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
        };
      }
    }
    before += column.t.length;
  }
}
