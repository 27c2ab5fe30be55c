import { setMaxListeners } from 'node:events';
import pg from 'pg';
import { backoff, pause } from '../retry.js';
import type { Logger } from '../telemetry.js';
import { connectionOptions } from './database.js';

/** Lock keys of the duties that only one process at a time may do. */
export const DUTIES = {
  dispatcher: 7_265_010,
  relay: 7_265_011,
  upkeep: 7_265_012,
  ingest: 7_265_013,
  accounts: 7_265_014,
} as const;
export type Duty = keyof typeof DUTIES;

/** How often a process that does not lead looks whether it may. Bounds the pause after a leader dies. */
const TAKE_OVER_MS = 1_000;
/** A half-open connection would keep a dead leader in office; the server notices within about this time. */
const KEEPALIVE = '-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=2 -c timezone=UTC';

export interface Leadership {
  /** The connection that holds the lock: losing it is losing the lead. */
  readonly client: pg.Client;
  /** Aborts when the lead is lost or the process stops. */
  readonly signal: AbortSignal;
}

/**
 * Does `work` for as long as this process leads `duty`, and again whenever it comes to lead. The lock is a session
 * advisory lock, so it is free the moment its holder's connection ends. `work` returns when its signal aborts; a throw
 * is logged and gives up the lead for a moment.
 * @returns stop: gives up the lead after `work` has returned
 */
export function whileLeading(
  databaseUrl: string,
  duty: Duty,
  log: Logger,
  work: (leadership: Leadership) => Promise<void>,
): () => Promise<void> {
  const stopping = new AbortController();
  const term = async (): Promise<void> => {
    const client = new pg.Client({
      ...connectionOptions(databaseUrl, duty),
      options: KEEPALIVE,
      query_timeout: TAKE_OVER_MS * 10,
    });
    const lost = new AbortController();
    client.on('error', () => lost.abort());
    client.on('end', () => lost.abort());
    try {
      await client.connect();
      while (!stopping.signal.aborted && !lost.signal.aborted) {
        const { rows } = await client.query<{ led: boolean }>('select pg_try_advisory_lock($1) as led', [DUTIES[duty]]);
        if (rows[0]!.led) {
          log.info({ duty }, 'leads');
          const signal = AbortSignal.any([stopping.signal, lost.signal]);
          // A duty may consist of many that wait for it.
          setMaxListeners(0, signal);
          await work({ client, signal });
          return;
        }
        await pause(TAKE_OVER_MS, stopping.signal);
      }
    } finally {
      // The goodbye of a silent connection would never be answered.
      await Promise.race([client.end().catch(() => undefined), pause(TAKE_OVER_MS)]);
    }
  };
  const running = (async () => {
    let delays = backoff(100, 5_000);
    while (!stopping.signal.aborted) {
      try {
        await term();
        delays = backoff(100, 5_000);
      } catch (error) {
        log.warn({ err: error, duty }, 'lost the lead; trying again');
      }
      await pause(delays.next().value, stopping.signal);
    }
  })();
  return async () => {
    stopping.abort();
    await running;
  };
}
