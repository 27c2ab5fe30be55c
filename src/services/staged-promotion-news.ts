import type pg from 'pg';
import { messageOf } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { ControlMessage, decode } from '../messaging/contracts.js';
import { pause } from '../retry.js';
import type { Logger } from '../telemetry.js';
import { storeOfStaged } from './ingest/staged-store.js';
import { promoteStaged } from './staged-promotion.js';

/** Meters that wait for a look, of one organization; more are left to the sweep. */
const MAX_WAITING = 10_000;

/**
 * Stores the staged readings of meters as soon as these are created or renamed, until the signal aborts. A sweep each minute does
 * what is missed here.
 */
export async function promoteOnNews(
  pool: pg.Pool,
  broker: Pick<Broker, 'listen'>,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const waiting = new Map<string, Set<string>>();
  let wake = new AbortController();
  const listener = await broker.listen('amr.control', (body) => {
    const decoded = decode(ControlMessage, body);
    if (!decoded.ok || decoded.message.type !== 'rows_changed' || decoded.message.meters === undefined) return;
    const { organization, meters } = decoded.message;
    let wanted = waiting.get(organization);
    if (!wanted) waiting.set(organization, (wanted = new Set()));
    for (const meter of meters) if (wanted.size < MAX_WAITING) wanted.add(meter);
    wake.abort();
  });
  while (!signal.aborted) {
    if (waiting.size === 0) await pause(3_600_000, signal, wake.signal);
    wake = new AbortController();
    for (const [organization, meters] of waiting) {
      waiting.delete(organization);
      const { enrich, write } = storeOfStaged(pool);
      try {
        await promoteStaged(pool, enrich, write, { signal, of: { organization, meters: [...meters] } });
      } catch (error) {
        log.warn({ err: messageOf(error) }, 'staged readings of changed meters wait for the next sweep');
      }
    }
  }
  await listener.drain();
}
