import type { Broker } from '../messaging/broker.js';
import { encode, type ControlMessage } from '../messaging/contracts.js';

/** Ids in one message; more are split. */
const CHUNK = 10_000;

/**
 * Tells ingesters and API processes, after the commit, that rows of these meters changed, or without `meters` rows of the whole
 * organization; none at all for an empty list. Best effort: one that misses it looks again by itself within minutes.
 */
export async function announceRowChanges(
  broker: Pick<Broker, 'broadcast'>,
  organization: string,
  meters?: readonly string[],
): Promise<void> {
  const tell = (message: ControlMessage) => broker.broadcast('amr.control', encode(message));
  if (meters === undefined) return tell({ type: 'rows_changed', organization });
  for (let from = 0; from < meters.length; from += CHUNK) {
    await tell({ type: 'rows_changed', organization, meters: meters.slice(from, from + CHUNK) });
  }
}
