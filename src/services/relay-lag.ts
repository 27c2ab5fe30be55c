import type pg from 'pg';
import { Gauge } from 'prom-client';
import { messageOf } from '../errors.js';
import { pause } from '../retry.js';
import { metrics, type Logger } from '../telemetry.js';

const EVERY_MS = 5_000;

const seconds = new Gauge({
  name: 'amr_relay_lag_seconds',
  help: 'Age of the oldest committed batch that was not passed on yet, by target: live (API processes) or exchange (topic exchange readings); 0 without one. Measured by the leading relay.',
  labelNames: ['target'],
  registers: [metrics],
});
const batches = new Gauge({
  name: 'amr_relay_lag_batches',
  help: 'Committed batches that were not passed on yet, by target.',
  labelNames: ['target'],
  registers: [metrics],
});

/** What waits to be passed on. Unnumbered batches are counted up to 10,000. */
export interface RelayLag {
  readonly target: 'live' | 'exchange';
  readonly seconds: number;
  readonly batches: number;
}

/** Keeps the gauges of the lag, for as long as this process leads; a target that is switched off has none. Never rejects. */
export async function watchRelayLag(
  pool: pg.Pool,
  readingsExchange: boolean,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      for (const lag of await measureRelayLag(pool)) {
        if (lag.target === 'exchange' && !readingsExchange) continue;
        seconds.set({ target: lag.target }, lag.seconds);
        batches.set({ target: lag.target }, lag.batches);
      }
    } catch (error) {
      log.warn({ err: messageOf(error) }, 'the lag of the relay cannot be measured; trying again');
    }
    await pause(EVERY_MS, signal);
  }
  // Another process leads now: what this one knew is out of date.
  seconds.reset();
  batches.reset();
}

/** By the indexes of position and of what is unnumbered; by the clock of the database. */
export async function measureRelayLag(pool: Pick<pg.Pool, 'query'>): Promise<RelayLag[]> {
  const { rows } = await pool.query<{ target: 'live' | 'exchange'; seconds: number; batches: string }>(
    `with unnumbered as (
       select count(*) as batches, min(committed_at) as oldest
       from (select committed_at from reading_log where position is null order by id limit 10000) waiting
     )
     select target, h.position - passed + u.batches as batches,
            coalesce(greatest(0, extract(epoch from now() - least(u.oldest, (
              select committed_at from reading_log where position > passed order by position limit 1)))), 0)::float8 as seconds
     from reading_log_head h, unnumbered u,
          lateral (values ('live', h.published), ('exchange', coalesce(h.exchanged, h.position))) as t (target, passed)`,
  );
  return rows.map((row) => ({ ...row, batches: Number(row.batches) }));
}
