import type pg from 'pg';
import type { Broker } from '../messaging/broker.js';
import { encode, type ControlMessage } from '../messaging/contracts.js';
import { pause } from '../retry.js';

/** Ids in one message; more are split. */
const CHUNK = 500;
const REPEAT_MS = 5_000;

/** Tells the pollers which runs are not wanted any more. Best effort: see `repeatCancelRequests`. */
export async function broadcastCancel(broker: Broker, runs: readonly string[]): Promise<void> {
  const message: ControlMessage = { type: 'cancel_runs', runs: [...runs] };
  await broker.broadcast('amr.control', encode(message));
}

/** Once every few seconds, for as long as this process leads. */
export async function repeatCancelRequestsWhileLeading(
  pool: pg.Pool,
  broker: Broker,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await repeatCancelRequests(pool, broker);
    await pause(REPEAT_MS, signal);
  }
}

/**
 * Broadcasts every request that no poller has confirmed again: a poller may have been away, or started since.
 * @returns how many there are
 */
export async function repeatCancelRequests(pool: pg.Pool, broker: Broker): Promise<number> {
  let count = 0;
  for (let last = '00000000-0000-0000-0000-000000000000'; ;) {
    const { rows } = await pool.query<{ id: string }>(
      `select id from task_run
       where state in ('dispatched', 'running') and cancel_requested_at is not null and id > $1
       order by id limit $2`,
      [last, CHUNK],
    );
    if (rows.length > 0)
      await broadcastCancel(
        broker,
        rows.map(({ id }) => id),
      );
    count += rows.length;
    if (rows.length < CHUNK) return count;
    last = rows.at(-1)!.id;
  }
}
