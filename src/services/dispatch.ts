import type pg from 'pg';
import { Counter, Histogram } from 'prom-client';
import type { Leadership } from '../db/leader.js';
import { messageOf } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { encode, type PollSessionMessage } from '../messaging/contracts.js';
import { pause } from '../retry.js';
import { sideBySide } from '../side-by-side.js';
import { metrics, type Logger } from '../telemetry.js';
import { CLAIM_BATCH, claimSessions, dueMeters } from './claim.js';
import { announceRuns } from './run-events.js';
import type { SessionQueue, Timings } from './session-message.js';

/** Longest sleep: a missed notification or a run that falls due costs at most this. */
const IDLE_MS = 1_000;
/**
 * Shortest time between two looks that found little, so that each session that ends does not cost a look of its own.
 * What somebody waits for is looked for more often; such a look is cheap, as few such runs are due.
 */
const SPACING_MS: Record<SessionQueue, number> = { 'amr.on_demand': 5, 'amr.scheduled': 50 };

const dispatched = new Counter({
  name: 'amr_sessions_dispatched_total',
  help: 'Poll sessions published, by queue.',
  labelNames: ['queue'],
  registers: [metrics],
});
const claimSeconds = new Histogram({
  name: 'amr_claim_seconds',
  help: 'Time to find and claim the sessions of one dispatch, by queue.',
  labelNames: ['queue'],
  buckets: [0.005, 0.02, 0.1, 0.3, 1, 3, 10],
  registers: [metrics],
});

/**
 * Claims due work and publishes it, for as long as this process leads. Woken by NOTIFY `amr_dispatch`. Scheduled work
 * and what somebody waits for are looked for side by side; only the claims themselves take turns.
 */
export async function dispatchWhileLeading(
  pool: pg.Pool,
  broker: Broker,
  timings: Timings,
  log: Logger,
  { client, signal }: Leadership,
): Promise<void> {
  const wakers = new Set<() => void>();
  client.on('notification', () => wakers.forEach((wake) => wake()));
  await client.query('listen amr_dispatch');

  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work);
    turn = result.catch(() => undefined);
    return result;
  };

  const dispatchOn = (queue: SessionQueue) => async (signal: AbortSignal) => {
    let woken = new AbortController();
    wakers.add(() => woken.abort());
    let publishing = Promise.resolve();
    while (!signal.aborted) {
      if (woken.signal.aborted) woken = new AbortController();
      const startedAt = performance.now();
      let claimed = 0;
      // Without a broker a claim could only be undone again.
      if (broker.connected) {
        const candidates = await dueMeters(pool, queue, timings);
        const sessions = await inTurn(() => claimSessions(pool, queue, candidates, timings));
        if (candidates.length > 0) claimSeconds.observe({ queue }, (performance.now() - startedAt) / 1000);
        claimed = sessions.length;
        // The next are claimed while these are published.
        await publishing;
        publishing = publishSessions(broker, timings, queue, sessions, log);
      }
      if (claimed === CLAIM_BATCH) continue;
      // A look that was long because all is taken gets longer pauses: looking must not be most of the database's work.
      await pause(Math.max(SPACING_MS[queue], 2 * (performance.now() - startedAt)), signal);
      await pause(IDLE_MS, signal, woken.signal);
    }
    await publishing;
  };
  await sideBySide(signal, dispatchOn('amr.on_demand'), dispatchOn('amr.scheduled'));
}

/** Publishes claimed sessions and tells listeners of their runs. Never throws. */
async function publishSessions(
  broker: Broker,
  timings: Timings,
  queue: SessionQueue,
  sessions: readonly PollSessionMessage[],
  log: Logger,
): Promise<void> {
  await announceRuns(
    broker,
    sessions.flatMap((session) => session.calls.map(({ run }) => ({ id: run, organization_id: session.organization }))),
  );
  await Promise.all(
    sessions.map(async (session) => {
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
