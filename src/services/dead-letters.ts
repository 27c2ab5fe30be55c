import { createHash } from 'node:crypto';
import type pg from 'pg';
import { DEFAULT_ORGANIZATION_ID } from '../domain/organization.js';
import { printable } from '../domain/text.js';
import { isUuid, uuidAt } from '../domain/uuid.js';
import { messageOf } from '../errors.js';
import { ACK, DEAD_LETTER_HEADERS, type Delivery, type Disposition } from '../messaging/broker.js';
import { decode, PollSessionMessage } from '../messaging/contracts.js';
import type { DeadQueue } from '../messaging/topology.js';
import { backoff, pause } from '../retry.js';
import type { Logger } from '../telemetry.js';
import { LEASE_MARGIN_MS } from './claim.js';

/** A message, or one reading of it, to be kept because it could not be processed. */
export interface DeadLetterEntry {
  /** As the message claims; one that does not exist is filed under the default organization. */
  organization: string;
  /** The queue it came from. */
  queue: string;
  reason: string;
  body: Buffer;
}

const MAX_REASON = 500;

/** Why the broker itself gave a message up, as RabbitMQ names it. */
const BROKER_REASON_HEADER = 'x-first-death-reason';

/** Keeps dead letters; the same body from the same queue again only counts. Runs in the caller's transaction. */
export async function fileDeadLetters(
  client: Pick<pg.ClientBase, 'query'>,
  entries: readonly DeadLetterEntry[],
): Promise<void> {
  // One statement may not touch a row twice.
  const distinct = new Map(entries.map((entry) => [`${entry.queue} ${digestOf(entry.body).toString('hex')}`, entry]));
  const rows = [...distinct.values()];
  if (rows.length === 0) return;
  await client.query(
    `insert into dead_letter (id, organization_id, queue, reason, fingerprint, digest, body)
     select d.id, coalesce(o.id, $8), d.queue, d.reason, d.fingerprint, d.digest, d.body
     from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bytea[])
       as d (id, organization_id, queue, reason, fingerprint, digest, body)
     left join organization o on o.id = d.organization_id
     on conflict (queue, digest) do update set occurrences = dead_letter.occurrences + 1, last_seen_at = now(), reason = excluded.reason`,
    [
      rows.map(() => uuidAt()),
      rows.map((row) => row.organization),
      rows.map((row) => row.queue),
      rows.map((row) => reasonOf(row)),
      rows.map((row) => fingerprintOf(row)),
      rows.map((row) => digestOf(row.body)),
      rows.map((row) => row.body),
      DEFAULT_ORGANIZATION_ID,
    ],
  );
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
        await fileDeadLetters(pool, [
          { organization: organizationOf(delivery.body), queue, reason, body: delivery.body },
        ]);
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

/** Groups failures of one kind: numbers and quoted parts vary between messages, the rest does not. */
function fingerprintOf(entry: DeadLetterEntry): string {
  return `${entry.queue}: ${reasonOf(entry)
    .replace(/"[^"]*"|'[^']*'/g, '…')
    .replace(/\d+/g, '#')}`.slice(0, 200);
}

/** A reason may quote what it is about: cut, and without what PostgreSQL text cannot hold. */
function reasonOf({ reason }: DeadLetterEntry): string {
  return printable(reason).slice(0, MAX_REASON);
}

function digestOf(body: Buffer): Buffer {
  return createHash('sha256').update(body).digest();
}

/** The organization a message claims, where it can be read at all. */
function organizationOf(body: Buffer): string {
  const match = /"organization"\s*:\s*"([0-9a-f-]{36})"/.exec(body.subarray(0, 4096).toString('latin1'));
  return match?.[1] && isUuid(match[1]) ? match[1] : DEFAULT_ORGANIZATION_ID;
}
