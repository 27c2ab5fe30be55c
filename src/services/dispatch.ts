import type pg from 'pg';
import { Counter } from 'prom-client';
import type { Leadership } from '../db/leader.js';
import { ReadingOrigin } from '../domain/enums.js';
import { messageOf } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { encode, type PollSessionMessage } from '../messaging/contracts.js';
import { pause } from '../retry.js';
import { metrics, type Logger } from '../telemetry.js';
import { CLAIM_BATCH, claimSessions, type Timings } from './claim.js';
import { announceRuns } from './run-events.js';

/** Longest sleep: a missed notification or a run that falls due costs at most this. */
const IDLE_MS = 1_000;

const dispatched = new Counter({
  name: 'amr_sessions_dispatched_total',
  help: 'Poll sessions published, by queue.',
  labelNames: ['queue'],
  registers: [metrics],
});

/** Claims due work and publishes it, for as long as this process leads. Woken by NOTIFY `amr_dispatch`. */
export async function dispatchWhileLeading(
  pool: pg.Pool,
  broker: Broker,
  timings: Timings,
  log: Logger,
  { client, signal }: Leadership,
): Promise<void> {
  let wake = new AbortController();
  client.on('notification', () => wake.abort());
  await client.query('listen amr_dispatch');
  let publishing = Promise.resolve();
  while (!signal.aborted) {
    let full = false;
    // Without a broker a claim could only be undone again.
    if (broker.connected) {
      const sessions = await claimSessions(pool, timings);
      full = sessions.length === CLAIM_BATCH;
      // The next are claimed while these are published.
      await publishing;
      publishing = publishSessions(broker, timings, sessions, log);
    }
    if (!full) await pause(IDLE_MS, signal, wake.signal);
    if (wake.signal.aborted) wake = new AbortController();
  }
  await publishing;
}

/** Publishes claimed sessions and tells listeners of their runs. Never throws. */
async function publishSessions(
  broker: Broker,
  timings: Timings,
  sessions: readonly PollSessionMessage[],
  log: Logger,
): Promise<void> {
  await announceRuns(
    broker,
    sessions.flatMap((session) => session.calls.map(({ run }) => ({ id: run, organization_id: session.organization }))),
  );
  await Promise.all(
    sessions.map(async (session) => {
      const queue = queueOf(session);
      try {
        await broker.publish(queue, encode(session), {
          messageId: session.session,
          expiresAfterMs: timings.startByMs,
          // Twice would be two sessions on one meter; a lost one is sent again when its lease ends.
          once: true,
        });
        dispatched.inc({ queue });
      } catch (error) {
        // The message may have arrived all the same, so the interface stays reserved until the lease ends.
        log.warn({ session: session.session, err: messageOf(error) }, 'a session was not confirmed by the broker');
      }
    }),
  );
}

function queueOf(session: PollSessionMessage): 'amr.on_demand' | 'amr.scheduled' {
  return session.origin === ReadingOrigin.ON_DEMAND ? 'amr.on_demand' : 'amr.scheduled';
}
