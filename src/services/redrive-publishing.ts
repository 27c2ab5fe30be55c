import type pg from 'pg';
import { Counter } from 'prom-client';
import { messageOf } from '../errors.js';
import { REDRIVE_HEADER, type Broker } from '../messaging/broker.js';
import type { WorkQueue } from '../messaging/topology.js';
import { pause } from '../retry.js';
import { metrics, type Logger } from '../telemetry.js';

/** A letter in state `redriving`, to be published. */
export interface RedrivingLetter {
  readonly id: string;
  readonly queue: string;
  readonly size: number;
}

/** Letters, and bytes of their bodies, that are in memory at once. */
const CHUNK_LETTERS = 100;
const CHUNK_BYTES = 16 * 1024 * 1024;
/** Letters that wait for their turn are marked as alive this often; upkeep takes over those that are not. */
const ALIVE_EVERY_MS = 30_000;

const redrives = new Counter({
  name: 'amr_redrives_total',
  help: 'Dead letters put back into their queue, by whether the broker confirmed it.',
  labelNames: ['queue', 'outcome'],
  registers: [metrics],
});

/**
 * Puts letters back into their queues, at most `ratePerSecond` a second, and tells `onPublished` of each that was confirmed. One
 * that was not is dead again. What the signal leaves undone stays `redriving`: upkeep publishes it later.
 */
export async function publishRedriven(
  pool: pg.Pool,
  broker: Pick<Broker, 'publish'>,
  letters: readonly RedrivingLetter[],
  ratePerSecond: number,
  log: Logger,
  signal?: AbortSignal,
  onPublished: () => void = () => undefined,
): Promise<void> {
  const begun = performance.now();
  let aliveAt = begun;
  let done = 0;
  for (const chunk of chunks(letters, ratePerSecond)) {
    if (signal?.aborted) return;
    if (performance.now() - aliveAt > ALIVE_EVERY_MS) {
      aliveAt = performance.now();
      const waiting = letters.slice(done).map(({ id }) => id);
      await pool.query(
        `update dead_letter set redriven_at = now() where id = any($1::uuid[]) and state = 'redriving'`,
        [waiting],
      );
    }
    await publishChunk(pool, broker, chunk, log, onPublished);
    done += chunk.length;
    if (done < letters.length) await pause(begun + (done / ratePerSecond) * 1000 - performance.now(), signal);
  }
}

async function publishChunk(
  pool: pg.Pool,
  broker: Pick<Broker, 'publish'>,
  chunk: readonly RedrivingLetter[],
  log: Logger,
  onPublished: () => void,
): Promise<void> {
  const { rows } = await pool.query<{ id: string; queue: WorkQueue; body: Buffer }>(
    `select id, queue, body from dead_letter where id = any($1::uuid[]) and state = 'redriving' order by id`,
    [chunk.map(({ id }) => id)],
  );
  const failed: string[] = [];
  const resolved: string[] = [];
  await Promise.all(
    rows.map(async ({ id, queue, body }) => {
      try {
        await broker.publish(queue, body, { headers: { [REDRIVE_HEADER]: id } });
        redrives.inc({ queue, outcome: 'published' });
        onPublished();
        // Nobody settles results: they may come twice.
        if (queue !== 'readings.new') resolved.push(id);
      } catch (error) {
        redrives.inc({ queue, outcome: 'failed' });
        log.warn(
          { deadLetter: id, queue, err: messageOf(error) },
          'a dead letter could not be redriven; it is dead again',
        );
        failed.push(id);
      }
    }),
  );
  // Only where nothing came in between: a redriven message may have been settled, or have failed again, by now.
  if (failed.length > 0) {
    await pool.query(`update dead_letter set state = 'dead' where id = any($1::uuid[]) and state = 'redriving'`, [
      failed,
    ]);
  }
  if (resolved.length > 0) {
    await pool.query(
      `update dead_letter set state = 'resolved', closed_at = now() where id = any($1::uuid[]) and state = 'redriving'`,
      [resolved],
    );
  }
}

/** A tenth of a second's worth at a time, so that the rate is even. */
function* chunks(letters: readonly RedrivingLetter[], ratePerSecond: number): Generator<RedrivingLetter[]> {
  const most = Math.min(CHUNK_LETTERS, Math.ceil(ratePerSecond / 10));
  let chunk: RedrivingLetter[] = [];
  let bytes = 0;
  for (const letter of letters) {
    if (chunk.length > 0 && (chunk.length === most || bytes + letter.size > CHUNK_BYTES)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(letter);
    bytes += letter.size;
  }
  if (chunk.length > 0) yield chunk;
}
