import type pg from 'pg';
import type { OutcomeTally, Publication } from './ingest/outcomes.js';

/** Readings of a letter that are counted as dead-lettered in one minute. */
export interface Booking {
  publication: Publication | undefined;
  /** The minute they count for where no publication says it; milliseconds since the epoch. */
  at: number;
  readings: number;
}

export interface FiledLetter {
  id: string;
  organization: string;
  /** This time included. */
  occurrences: number;
}

/** Minutes of one letter that are kept apart. A letter with more of them was repeated for a day. */
const MAX_BOOKINGS = 1_000;
const MINUTE_MS = 60_000;

/**
 * Counts readings as dead-lettered, and remembers for each letter where: a redrive or a discard moves them out of the same
 * minutes again. Of a letter with more than 1,000 minutes the oldest become duplicates of the newer ones.
 */
export async function bookDeadLetters(
  client: Pick<pg.ClientBase, 'query'>,
  filed: readonly { letter: FiledLetter; bookings: readonly Booking[] }[],
  tally: OutcomeTally,
): Promise<void> {
  const all = filed.flatMap(({ letter, bookings }) =>
    bookings.filter(({ readings }) => readings > 0).map((booking) => ({ letter, ...booking })),
  );
  if (all.length === 0) return;
  for (const { letter, publication, at, readings } of all) {
    tally.add(letter.organization, publication, at, 'dead_lettered', readings);
  }
  await client.query(
    `insert into dead_letter_booking (dead_letter_id, minute, publisher, readings)
     select id, minute, publisher, sum(readings) from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::int[])
       as b (id, minute, publisher, readings)
     group by 1, 2, 3 order by 1, 2, 3
     on conflict (dead_letter_id, minute, publisher) do update set readings = dead_letter_booking.readings + excluded.readings`,
    [
      all.map(({ letter }) => letter.id),
      all.map(({ at, publication }) => new Date(minuteOf(publication?.publishedAt ?? at))),
      all.map(({ publication }) => publication?.publisher ?? null),
      all.map(({ readings }) => readings),
    ],
  );
  const often = filed.filter(({ letter }) => letter.occurrences > MAX_BOOKINGS);
  if (often.length > 0) await foldOldest(client, often, tally);
}

/** Takes back what is booked for these letters: how many readings, minute by minute, oldest first. */
export async function takeBookings(
  client: Pick<pg.ClientBase, 'query'>,
  letters: readonly string[],
): Promise<Map<string, Booking[]>> {
  const { rows } = await client.query<BookingRow>(
    `with taken as (delete from dead_letter_booking where dead_letter_id = any($1::uuid[]) returning *)
     select dead_letter_id as letter, minute, publisher, readings from taken order by minute, publisher`,
    [letters],
  );
  const taken = new Map<string, Booking[]>(letters.map((id) => [id, []]));
  for (const row of rows) taken.get(row.letter)!.push(bookingOf(row));
  return taken;
}

async function foldOldest(
  client: Pick<pg.ClientBase, 'query'>,
  often: readonly { letter: FiledLetter }[],
  tally: OutcomeTally,
): Promise<void> {
  const { rows } = await client.query<BookingRow & { organization: string }>(
    `with folded as (
       delete from dead_letter_booking where ctid in (
         select old.ctid from unnest($1::uuid[]) as l (id) cross join lateral (
           select b.ctid from dead_letter_booking b where b.dead_letter_id = l.id order by b.minute desc, b.publisher offset ${MAX_BOOKINGS}) old)
       returning *
     ), less as (
       update dead_letter d set reading_count = reading_count - f.readings
       from (select dead_letter_id, sum(readings) as readings from folded group by 1) f where d.id = f.dead_letter_id)
     select f.dead_letter_id as letter, f.minute, f.publisher, f.readings, d.organization_id as organization
     from folded f join dead_letter d on d.id = f.dead_letter_id`,
    [often.map(({ letter }) => letter.id)],
  );
  for (const row of rows) {
    const { publication, at, readings } = bookingOf(row);
    tally.add(row.organization, publication, at, 'dead_lettered', -readings);
    tally.add(row.organization, publication, at, 'duplicate', readings);
  }
}

interface BookingRow {
  letter: string;
  minute: Date;
  publisher: string | null;
  readings: number;
}

function bookingOf({ minute, publisher, readings }: BookingRow): Booking {
  const at = minute.getTime();
  return { publication: publisher === null ? undefined : { publisher, publishedAt: at }, at, readings };
}

const minuteOf = (at: number): number => Math.floor(at / MINUTE_MS) * MINUTE_MS;
