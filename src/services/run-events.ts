import type { Broker } from '../messaging/broker.js';
import { encode, type RunsChangedMessage } from '../messaging/contracts.js';

/** Ids in one `runs.changed` message; more are split. */
const CHUNK = 500;

/** Tells the API processes which runs changed. Best effort: a listener that missed it sees the row at its next read. */
export async function announceRuns(
  broker: Broker,
  runs: readonly { id: string; organization_id: string }[],
): Promise<void> {
  const byOrganization = new Map<string, string[]>();
  for (const run of runs) {
    const ids = byOrganization.get(run.organization_id);
    if (ids) ids.push(run.id);
    else byOrganization.set(run.organization_id, [run.id]);
  }
  for (const [organization, ids] of byOrganization) {
    for (let from = 0; from < ids.length; from += CHUNK) {
      const message: RunsChangedMessage = { organization, runs: ids.slice(from, from + CHUNK) };
      await broker.broadcast('runs.changed', encode(message));
    }
  }
}
