import { createHash } from 'node:crypto';
import type pg from 'pg';
import { inTransaction } from '../db/database.js';
import { DEFAULT_ORGANIZATION_ID } from '../domain/organization.js';
import { sentenceWithoutSecrets, withoutSecrets } from '../domain/secrets.js';
import { printable } from '../domain/text.js';
import { isUuid, uuidAt } from '../domain/uuid.js';
import { messageOf } from '../errors.js';
import { ACK, DEAD_LETTER_HEADERS, type Delivery, type Disposition } from '../messaging/broker.js';
import { decode, parseJson, PollSessionMessage } from '../messaging/contracts.js';
import type { DeadQueue } from '../messaging/topology.js';
import { backoff, pause } from '../retry.js';
import type { Logger } from '../telemetry.js';
import { LEASE_MARGIN_MS } from '../domain/lease-margin.js';
import { bookDeadLetters, type Booking, type FiledLetter } from './dead-letter-bookings.js';
import { OutcomeTally, publicationOf, type Publication } from './ingest/outcomes.js';
import { redrivenLetter, settleRedriven } from './redrive-settlement.js';

/** A message, or one reading of it, to be kept because it could not be processed. */
export interface DeadLetterEntry {
  /** As the message claims; one that does not exist is filed under the default organization. */
  organization: string;
  /** The queue it came from. */
  queue: string;
  reason: string;
  body: Buffer;
  /** Readings that are counted as dead-lettered on account of it; 0 for what is no message of readings. */
  readings: number;
  publication: Publication | undefined;
}

const MAX_REASON = 500;
/** Largest body that is kept whole: no larger message is taken, so none could be redriven. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;
/** Of a larger one. */
const CUT_BODY_BYTES = 64 * 1024;

/** Why the broker itself gave a message up, as RabbitMQ names it. */
const BROKER_REASON_HEADER = 'x-first-death-reason';

/** An entry as it is kept, with all its equals. */
interface Filing {
  organization: string;
  queue: string;
  reason: string;
  body: Buffer;
  size: number;
  digest: Buffer;
  occurrences: number;
  bookings: Booking[];
}

/**
 * Keeps dead letters, without secrets, and books their readings; the same body from the same queue again only counts, and opens
 * it again where it was closed or under way. Runs in the caller's transaction.
 */
export async function fileDeadLetters(
  client: Pick<pg.ClientBase, 'query'>,
  entries: readonly DeadLetterEntry[],
): Promise<void> {
  // One statement may not touch a row twice.
  const distinct = new Map<string, Filing>();
  const now = Date.now();
  for (const entry of entries) {
    const filing = filingOf(entry, now);
    const key = `${entry.queue} ${filing.digest.toString('hex')}`;
    const same = distinct.get(key);
    if (same) {
      same.occurrences++;
      same.bookings.push(...filing.bookings);
    } else distinct.set(key, filing);
  }
  const filings = [...distinct.values()];
  if (filings.length === 0) return;
  const published = filings.map(({ bookings }) => bookings[0]!.publication);
  const { rows: filed } = await client.query<FiledLetter & { place: string }>(
    `with filed as (
       insert into dead_letter (id, organization_id, queue, reason, fingerprint, digest, body, size, cut, occurrences, reading_count, publisher, published_at)
       select d.id, coalesce(o.id, $8), d.queue, d.reason, d.fingerprint, d.digest, d.body, d.size, d.size > ${MAX_BODY_BYTES},
         d.occurrences, d.readings, d.publisher, d.published_at
       from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bytea[], $9::int[], $10::int[], $11::uuid[], $12::timestamptz[], $13::int[])
         as d (id, organization_id, queue, reason, fingerprint, digest, body, occurrences, readings, publisher, published_at, size)
       left join organization o on o.id = d.organization_id
       order by d.queue, d.digest
       on conflict (queue, digest) do update set occurrences = dead_letter.occurrences + excluded.occurrences,
         reading_count = dead_letter.reading_count + excluded.reading_count, last_seen_at = now(), reason = excluded.reason,
         fingerprint = excluded.fingerprint, state = 'dead', closed_at = null
       returning id, queue, digest, organization_id, occurrences)
     select i.place, filed.id, filed.organization_id as organization, filed.occurrences
     from filed join unnest($3::text[], $6::bytea[]) with ordinality as i (queue, digest, place) using (queue, digest)`,
    [
      filings.map(() => uuidAt(now)),
      filings.map(({ organization }) => organization),
      filings.map(({ queue }) => queue),
      filings.map(({ reason }) => reason),
      filings.map((filing) => fingerprintOf(filing)),
      filings.map(({ digest }) => digest),
      filings.map(({ body }) => body),
      DEFAULT_ORGANIZATION_ID,
      filings.map(({ occurrences }) => occurrences),
      filings.map(({ bookings }) => bookings.reduce((sum, { readings }) => sum + readings, 0)),
      published.map((publication) => publication?.publisher ?? null),
      published.map((publication) => (publication ? new Date(publication.publishedAt) : null)),
      filings.map(({ size }) => size),
    ],
  );
  const tally = new OutcomeTally();
  await bookDeadLetters(
    client,
    filed.map((letter) => ({ letter, bookings: filings[Number(letter.place) - 1]!.bookings })),
    tally,
  );
  await tally.book(client);
}

function filingOf({ organization, queue, reason, body, readings, publication }: DeadLetterEntry, now: number): Filing {
  // Each byte as a character: what is not touched stays as it was, whatever its encoding.
  const { text, secrets } = withoutSecrets(body.toString('latin1'));
  const clean = secrets.length === 0 ? body : Buffer.from(text, 'latin1');
  return {
    organization,
    queue,
    reason: printable(sentenceWithoutSecrets(reason, secrets)).slice(0, MAX_REASON),
    body: body.length > MAX_BODY_BYTES ? clean.subarray(0, CUT_BODY_BYTES) : clean,
    size: body.length,
    // Of what a redrive sends, so that a redriven message that fails again finds its letter.
    digest: createHash('sha256').update(clean).digest(),
    occurrences: 1,
    bookings: [{ publication, at: publication?.publishedAt ?? now, readings }],
  };
}

/** Handles one dead-letter queue: files what it holds. A session that merely expired is not a dead letter, see below. */
export function createDeadLetterHandler(pool: pg.Pool, deadQueue: DeadQueue, log: Logger, signal: AbortSignal) {
  const queue = deadQueue.slice(0, -'.dead'.length);
  return async (delivery: Delivery): Promise<Disposition> => {
    const reason =
      delivery.headers[DEAD_LETTER_HEADERS.reason] ??
      delivery.headers[BROKER_REASON_HEADER] ??
      'given up on by the broker';
    for (const delay of backoff(200, 10_000)) {
      try {
        if (reason === 'expired' && (await freeExpiredSession(pool, delivery.body))) return ACK;
        await inTransaction(pool, (client) => file(client, queue, reason, delivery));
        log.warn({ queue, reason }, 'a message was filed as a dead letter');
        return ACK;
      } catch (error) {
        if (signal.aborted) return { kind: 'requeue' };
        log.warn({ queue, err: messageOf(error) }, 'a dead letter waits to be filed');
        await pause(delay, signal);
      }
    }
    return ACK;
  };
}

/** A message that was redriven leaves the account of its letter before it is filed again. */
async function file(client: pg.ClientBase, queue: string, reason: string, delivery: Delivery): Promise<void> {
  const organization = organizationOf(delivery.body);
  const entry = { organization, queue, reason, body: delivery.body, readings: 0, publication: undefined };
  if (queue !== 'readings.new') return fileDeadLetters(client, [entry]);
  const account = accountOf(delivery.body);
  const redriven = redrivenLetter(delivery.headers);
  if (redriven === undefined) return fileDeadLetters(client, [{ ...entry, ...account }]);
  const tally = new OutcomeTally();
  const settled = await settleRedriven(client, [{ id: redriven, organization, readings: account.readings }], tally);
  await tally.book(client);
  const place = settled.get(redriven);
  // Settled before: what it holds is in the account already.
  await fileDeadLetters(client, [place ? { ...entry, ...account, publication: place.publication } : entry]);
}

/**
 * A session message that waited longer than its start-by time says that no poller took it. Its lease is cut to the margin, so that
 * its runs are sent again soon; not to zero, as word of a poller that took it at the last moment may be under way.
 */
async function freeExpiredSession(pool: pg.Pool, body: Buffer): Promise<boolean> {
  const decoded = decode(PollSessionMessage, body);
  if (!decoded.ok) return false;
  await pool.query(
    `update poll_session set lease_until = least(lease_until, now() + $2 * interval '1 millisecond')
     where id = $1 and state = 'dispatched' and closed_at is null`,
    [decoded.message.session, LEASE_MARGIN_MS],
  );
  return true;
}

const VARIABLE_PARTS =
  /"[^"]*"|'[^']*'|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d{2}-\d{2}[T ][\d:.]+(Z|[+-][\d:]+)?/gi;

/** Groups failures of one kind: quoted parts, ids, instants and numbers vary between messages, the rest does not. */
function fingerprintOf({ queue, reason }: Pick<Filing, 'queue' | 'reason'>): string {
  return `${queue}: ${reason.replace(VARIABLE_PARTS, '…').replace(/\d+/g, '#')}`.slice(0, 200);
}

/** What a whole message of readings that is given up counts for, as far as it can be read. */
export function accountOf(body: Buffer): Pick<DeadLetterEntry, 'readings' | 'publication'> {
  let message: unknown;
  try {
    message = parseJson(body);
  } catch {
    return { readings: 1, publication: undefined };
  }
  if (typeof message !== 'object' || message === null) return { readings: 1, publication: undefined };
  const { readings, publisher, published_at: publishedAt } = message as Record<string, unknown>;
  return {
    readings: Array.isArray(readings) ? Math.max(readings.length, 1) : 1,
    publication: publicationOf(publisher, publishedAt),
  };
}

/** The organization a message claims, where it can be read at all. */
function organizationOf(body: Buffer): string {
  const match = /"organization"\s*:\s*"([0-9a-f-]{36})"/.exec(body.subarray(0, 4096).toString('latin1'));
  return match?.[1] && isUuid(match[1]) ? match[1] : DEFAULT_ORGANIZATION_ID;
}
