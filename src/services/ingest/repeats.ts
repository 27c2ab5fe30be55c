import type pg from 'pg';
import type { Envelope } from './validate.js';

/** Kept for so long whatever their number, and … */
const KEPT = '1 minute';
/** … so many of each ingester whatever their age: more than it can have in hand, unacknowledged, when it dies. */
const KEPT_MESSAGES = 20_000;
/** When no ingester has run for so long, a repeat may be counted twice. */
const KEPT_AT_MOST = '30 days';

type Identified = Pick<Envelope, 'messageId' | 'publication' | 'redrive'>;

/**
 * Whether the account of a message must not be booked twice: its publisher counts it once. Who publishes through the product
 * gives each message an id of its own. A redriven one has that of the message it came from; its dead letter says whether
 * it is settled.
 */
function isAccounted({ publication, redrive }: Identified): boolean {
  return publication !== undefined && redrive === undefined;
}

/**
 * Remembers the messages of a batch, in its transaction. A message comes again when it was committed and its acknowledgement was
 * lost, or when its publisher sent it a second time: the readings are known by their keys, what was booked is known by this.
 */
export async function rememberMessages(
  client: pg.ClientBase,
  ingester: string,
  messages: Iterable<Identified>,
): Promise<void> {
  const ids: string[] = [];
  for (const message of messages) if (isAccounted(message)) ids.push(message.messageId);
  if (ids.length === 0) return;
  await client.query('insert into ingested_batch (ingester, message_count, message_ids) values ($1, $2, $3::uuid[])', [
    ingester,
    ids.length,
    `{${ids.join(',')}}`,
  ]);
}

/** First key of the advisory locks of messages, and how many there are: a transaction must not fill the server's table of locks. */
const MESSAGE_LOCK = 7_265_020;
const MESSAGE_LOCKS = 64;

/**
 * Waits until no other transaction holds a message with the same id as one of these. For messages that write no key where the
 * second delivery would wait for the first, as all they hold was refused. Call after the keys were written, as everywhere.
 */
export async function awaitKeyless(client: pg.ClientBase, messages: readonly Identified[]): Promise<void> {
  const locks = new Set(
    messages.filter(isAccounted).map(({ messageId }) => parseInt(messageId.slice(-2), 16) % MESSAGE_LOCKS),
  );
  if (locks.size === 0) return;
  // In one order for all, so that none deadlock.
  await client.query('select pg_advisory_xact_lock($1, lock) from unnest($2::int[]) as l (lock)', [
    MESSAGE_LOCK,
    [...locks].sort((a, b) => a - b),
  ]);
}

/** Those that have been committed before. Call after the keys were written: who commits the same now is waited for there. */
export async function findRepeats<T extends Identified>(client: pg.ClientBase, suspects: readonly T[]): Promise<T[]> {
  const accounted = suspects.filter(isAccounted);
  if (accounted.length === 0) return [];
  const { rows } = await client.query<{ id: string }>(
    'select distinct m.id from ingested_batch cross join lateral unnest(message_ids) as m (id) where m.id = any($1::uuid[])',
    [accounted.map(({ messageId }) => messageId)],
  );
  const known = new Set(rows.map(({ id }) => id));
  return accounted.filter(({ messageId }) => known.has(messageId));
}

/** Forgets what cannot come again. */
export async function forgetMessages(pool: Pick<pg.Pool, 'query'>): Promise<void> {
  await pool.query(
    `delete from ingested_batch b using (
       select id, sum(message_count) over (partition by ingester order by id desc) - message_count as newer from ingested_batch
     ) n
     where b.id = n.id and b.committed_at < now() - interval '${KEPT}'
       and (n.newer > ${KEPT_MESSAGES} or b.committed_at < now() - interval '${KEPT_AT_MOST}')`,
  );
}
