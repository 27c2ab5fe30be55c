import type pg from 'pg';
import type { PollSessionMessage } from '../../src/messaging/contracts.js';
import { claimSessions, dueMeters } from '../../src/services/claim.js';
import type { Timings } from '../../src/services/session-message.js';

/** Claims all that is due now, as the dispatcher does: what somebody waits for first. */
export async function claimDue(pool: pg.Pool, timings: Timings): Promise<PollSessionMessage[]> {
  const sessions: PollSessionMessage[] = [];
  for (const queue of ['amr.on_demand', 'amr.scheduled'] as const) {
    sessions.push(...(await claimSessions(pool, queue, await dueMeters(pool, queue, timings), timings)));
  }
  return sessions;
}
