import type pg from 'pg';
import { isUuid } from '../domain/uuid.js';
import { REDRIVE_HEADER } from '../messaging/broker.js';
import { takeBookings } from './dead-letter-bookings.js';
import type { OutcomeTally, Publication } from './ingest/outcomes.js';

/** A message that came from a dead letter. */
export interface RedrivenMessage {
  /** Of the dead letter. */
  id: string;
  organization: string;
  /** Readings in the message, of which each gets an outcome now. */
  readings: number;
}

/** Where the outcomes of a redriven message are booked: where its readings were published, not where the body says. */
export interface OutcomePlace {
  publication: Publication | undefined;
  /** Milliseconds since the epoch. */
  at: number;
}

/** The dead letter a message came from; undefined for any other. */
export function redrivenLetter(headers: Readonly<Record<string, string>>): string | undefined {
  const id = headers[REDRIVE_HEADER];
  return id !== undefined && isUuid(id) ? id.toLowerCase() : undefined;
}

/**
 * Closes the letters of redriven messages and takes their readings out of the dead-lettered ones, so that the caller books
 * outcomes anew: in the transaction that stores the readings, before it files dead letters, which opens a letter again that
 * fails again. The caller books `tally`.
 * @returns the letters that were settled, with the place to book the outcomes of their message at. For a message whose letter
 * is missing no outcomes are booked: it is a second delivery, or the letter failed anew meanwhile, and the account has its readings.
 */
export async function settleRedriven(
  client: Pick<pg.ClientBase, 'query'>,
  redriven: readonly RedrivenMessage[],
  tally: OutcomeTally,
): Promise<Map<string, OutcomePlace>> {
  const settled = new Map<string, OutcomePlace>();
  // Delivered twice in one batch: the first one counts.
  const messages = new Map([...redriven].reverse().map((message) => [message.id, message]));
  if (messages.size === 0) return settled;
  const { rows } = await client.query<{ id: string; organization: string; at: Date }>(
    `with locked as (select id from dead_letter where id = any($1::uuid[]) and state = 'redriving' order by id for update)
     update dead_letter d set state = 'resolved', closed_at = now(), reading_count = 0 from locked where d.id = locked.id
     returning d.id, d.organization_id as organization, d.last_seen_at as at`,
    [[...messages.keys()]],
  );
  if (rows.length === 0) return settled;
  const taken = await takeBookings(
    client,
    rows.map(({ id }) => id),
  );
  for (const { id, organization, at } of rows) {
    const message = messages.get(id)!;
    const bookings = taken.get(id)!;
    const place = bookings[0] ?? { publication: undefined, at: at.getTime() };
    for (const booking of bookings) {
      tally.add(organization, booking.publication, booking.at, 'dead_lettered', -booking.readings);
      tally.add(message.organization, booking.publication, booking.at, 'duplicate', booking.readings);
    }
    // One repeat gets its outcomes from the caller. Where the message holds more readings than were counted for it, as
    // some had been stored when it failed, these are duplicates again and are not counted twice.
    tally.add(message.organization, place.publication, place.at, 'duplicate', -message.readings);
    settled.set(id, { publication: place.publication, at: place.at });
  }
  return settled;
}
