import pg from 'pg';
import { messageOf } from '../errors.js';
import type { Logger } from '../telemetry.js';
import { connectionOptions } from './database.js';
import type { CancelBackends } from './query-scope.js';

/** Longest time to reach the server; those that cannot be cancelled end at their statement timeout. */
const CANCEL_TIMEOUT_MS = 5_000;

/**
 * Cancels over a connection of its own, as those of the pools may all be busy with what is to be cancelled. One at a
 * time: what comes meanwhile goes along with the next.
 */
export function createCanceller(url: string, log: Logger): CancelBackends {
  let waiting = new Set<number>();
  let next: Promise<void> | undefined;
  let current: Promise<void> = Promise.resolve();

  async function cancelWaiting(): Promise<void> {
    const ids = [...waiting];
    waiting = new Set();
    next = undefined;
    const client = new pg.Client({
      ...connectionOptions(url, 'cancel'),
      connectionTimeoutMillis: CANCEL_TIMEOUT_MS,
      query_timeout: CANCEL_TIMEOUT_MS,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('select pg_cancel_backend(id) from unnest($1::int[]) id', [ids]);
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'queries of a request that ran out of time could not be cancelled');
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  return (processIds) => {
    for (const id of processIds) waiting.add(id);
    return (next ??= current = current.then(cancelWaiting));
  };
}
