import type pg from 'pg';
import { CommittedBatch } from '../messaging/contracts.js';
import { pause } from '../retry.js';
import { clockNow, type PublishTimes } from './feed.js';
import type { Load, LoadMessage } from './load.js';
import type { CommittedPlace } from './order.js';

const PAGE = 100;
const NUMBERED_WITHIN_MS = 20_000;
const LOOK_MS = 50;
const CLOCK_LOOKS = 9;

type Queryable = Pick<pg.ClientBase, 'query'>;

/** A stored reading on its way from publisher to commit. */
export interface CommittedReading extends CommittedPlace {
  /** Milliseconds since the epoch, by the clock of this process. */
  committedAt: number;
  latencyMs: number;
}

/**
 * What the database's clock is ahead of this process's, in milliseconds, from the quickest of some questions; wrong by at
 * most half the time of its answer.
 */
export async function databaseClockAhead(client: Queryable): Promise<{ aheadMs: number; errorMs: number }> {
  let best = { aheadMs: 0, errorMs: Infinity };
  for (let look = 0; look < CLOCK_LOOKS; look++) {
    const asked = clockNow();
    const { rows } = await client.query<{ at: number }>(
      'select extract(epoch from clock_timestamp())::float8 * 1000 as at',
    );
    const answered = clockNow();
    const errorMs = (answered - asked) / 2;
    if (errorMs < best.errorMs) best = { aheadMs: rows[0]!.at - (asked + answered) / 2, errorMs };
  }
  return best;
}

/**
 * Every reading that was stored, from the log of committed batches, with the first message that carried it. The moment is
 * `committed_at`: when the batch's transaction wrote its log row, just before it committed.
 */
export async function committedReadings(
  client: Queryable,
  load: Load,
  messages: readonly LoadMessage[],
  times: PublishTimes,
  aheadMs: number,
): Promise<CommittedReading[]> {
  await numbered(client);
  const meters = await metersById(client, load);
  const firstMessage = firstMessages(messages);
  const found: CommittedReading[] = [];
  for (let position = '0'; ;) {
    const { rows } = await client.query<{ position: string; at: number; body: string }>(
      `select position::text, extract(epoch from committed_at)::float8 * 1000 as at, body from reading_log
       where position > $1 order by reading_log.position limit ${PAGE}`,
      [position],
    );
    for (const row of rows) {
      const committedAt = row.at - aheadMs;
      for (const column of CommittedBatch.parse(JSON.parse(row.body)).columns) {
        const meter = meters.get(column.meter);
        if (meter === undefined || column.revised) continue;
        for (const measuredAt of column.t) {
          const published = firstMessage.get(`${meter} ${measuredAt}`);
          if (published === undefined) continue;
          const latencyMs = Math.max(0, committedAt - times[published]!);
          found.push({ meter, published, committed: Number(row.position), committedAt, latencyMs });
        }
      }
    }
    if (rows.length < PAGE) return found;
    position = rows.at(-1)!.position;
  }
}

/** Waits until the relay has numbered what is committed: its numbers are the order of commits. */
async function numbered(client: Queryable): Promise<void> {
  const deadline = performance.now() + NUMBERED_WITHIN_MS;
  for (;;) {
    const { rows } = await client.query<{ waiting: boolean }>(
      'select exists (select 1 from reading_log where position is null) as waiting',
    );
    if (!rows[0]!.waiting) return;
    if (performance.now() > deadline)
      throw new Error(`The relay has not numbered all committed batches within ${NUMBERED_WITHIN_MS / 1000} s.`);
    await pause(LOOK_MS);
  }
}

async function metersById(client: Queryable, load: Load): Promise<Map<string, number>> {
  const { rows } = await client.query<{ id: string; name: string }>('select id, name from meter_device');
  const indexes = new Map(load.meters.map((name, index) => [name, index]));
  return new Map(rows.map(({ id, name }) => [id, indexes.get(name)!]));
}

function firstMessages(messages: readonly LoadMessage[]): Map<string, number> {
  const first = new Map<string, number>();
  messages.forEach(({ readings }, index) => {
    for (const { meter, measuredAt } of readings) {
      const key = `${meter} ${measuredAt}`;
      if (!first.has(key)) first.set(key, index);
    }
  });
  return first;
}
