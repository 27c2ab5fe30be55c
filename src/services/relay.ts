import type pg from 'pg';
import { Counter, Gauge } from 'prom-client';
import type { Config } from '../config.js';
import type { Leadership } from '../db/leader.js';
import {
  mayHaveMore,
  notePassedOn,
  numberCommitted,
  readLogHead,
  readNumberedAfter,
  type NumberedRow,
} from '../db/reading-log.js';
import type { Broker } from '../messaging/broker.js';
import { metrics, type Logger } from '../telemetry.js';
import { publishToExchange } from './reading-exchange.js';
import { watchRelayLag } from './relay-lag.js';
import { Wake } from './wake.js';

/** Longest sleep: a missed notification delays a reading by at most this. */
const IDLE_MS = 500;
/** Pause after the last of what was committed before the relay makes sure that it was the last. */
const QUIET_MS = 50;

const relayed = new Counter({
  name: 'amr_relayed_batches_total',
  help: 'Committed batches numbered and broadcast.',
  registers: [metrics],
});
const position = new Gauge({
  name: 'amr_relay_position',
  help: 'Position of the newest batch that was broadcast.',
  registers: [metrics],
});

/**
 * Numbers committed log rows and passes them on in order, for as long as this process leads: to the API processes, and
 * where it is switched on to the topic exchange, which goes at a pace of its own and holds up nobody. Both go on where
 * a predecessor stopped: everything is passed on at least once.
 */
export async function relayWhileLeading(
  pool: pg.Pool,
  broker: Broker,
  { readingsExchange }: Pick<Config, 'readingsExchange'>,
  log: Logger,
  { client, signal }: Leadership,
): Promise<void> {
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const numbered = new Wake();
  const besides = [watchRelayLag(pool, readingsExchange, log, both)];
  if (readingsExchange) besides.push(publishToExchange(pool, broker, log, numbered, both));
  try {
    await broadcastCommitted(pool, broker, numbered, { client, signal });
  } finally {
    ended.abort();
    await Promise.all(besides);
  }
}

/**
 * Numbering happens after commit and by one hand, so a later position never becomes visible before an earlier one. What
 * was numbered but not broadcast, by this process while the broker was away or by one that died, comes from the table.
 */
async function broadcastCommitted(
  pool: pg.Pool,
  broker: Broker,
  numberedMore: Wake,
  { client, signal }: Leadership,
): Promise<void> {
  const committed = new Wake();
  client.on('notification', () => committed.ring());
  await client.query('listen amr_relay');
  let { published } = await readLogHead(pool);
  let noted = published;
  while (!signal.aborted) {
    const numbered = await numberCommitted(pool, published);
    if (numbered.length > 0) {
      noted = published;
      numberedMore.ring();
    }
    const rows = broker.connected ? await following(pool, published, numbered) : [];
    for (const row of rows) await broadcast(broker, row);
    if (rows.length > 0) {
      published = Number(rows.at(-1)!.position);
      relayed.inc(rows.length);
      position.set(published);
    }
    if (numbered.length > 0 || rows.length > 0) {
      // Not looked at again without need: even to number nothing waits for the disk, which the next batch would feel.
      if (!mayHaveMore(numbered) && !mayHaveMore(rows)) await committed.sleep(QUIET_MS, signal);
      continue;
    }
    if (published > noted) await notePassedOn(pool, 'published', published);
    noted = published;
    await committed.sleep(IDLE_MS, signal);
  }
}

/** What comes after `published`: what was numbered just now, unless something before it was left. */
async function following(pool: pg.Pool, published: number, numbered: NumberedRow[]): Promise<NumberedRow[]> {
  const [next] = numbered;
  return next && Number(next.position) === published + 1 ? numbered : readNumberedAfter(pool, published);
}

/** The body is JSON already: put together as text, it is not parsed on the way. */
function broadcast(broker: Broker, row: NumberedRow): Promise<void> {
  return broker.broadcast(
    'readings.committed',
    Buffer.from(`{"position":${row.position},"organization":"${row.organization_id}","batch":${row.body}}`),
  );
}
