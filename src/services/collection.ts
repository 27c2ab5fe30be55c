import { setMaxListeners } from 'node:events';
import { hostname } from 'node:os';
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Config } from '../config.js';
import { KeyRing } from '../credentials.js';
import { BEGIN_WITHIN_MS } from '../domain/lease-margin.js';
import { MeterError, messageOf } from '../errors.js';
import { executionContexts } from '../execution/contexts.js';
import type { CallOutcome } from '../execution/execution-context.js';
import { ACK, PublishError, REQUEUE, type Broker, type Delivery, type Disposition } from '../messaging/broker.js';
import { ControlMessage, decode, encode, PollSessionMessage, type ResultMessage } from '../messaging/contracts.js';
import { metrics, type Logger } from '../telemetry.js';
import type { Link } from '../transports/link.js';
import { openLink } from '../transports/open-link.js';
import { CancelledRuns } from './cancelled-runs.js';
import { Pace } from './pace.js';
import type { ReadingPublisher } from './reading-publisher.js';
import { readingMessages } from './reading-messages.js';
import { SessionCalls, withdrawnError } from './session-calls.js';
import { openCredentials } from './session-credentials.js';

const openSessions = new Gauge({
  name: 'amr_poller_open_sessions',
  help: 'Meter sessions open now.',
  registers: [metrics],
});
const sessionSeconds = new Histogram({
  name: 'amr_poller_session_seconds',
  help: 'Duration of meter sessions.',
  buckets: [0.05, 0.1, 0.5, 1, 5, 20, 60, 300],
  registers: [metrics],
});
const collected = new Counter({
  name: 'amr_readings_collected_total',
  help: 'Readings read from meters and confirmed by the broker.',
  registers: [metrics],
});

/** Steps towards the begin of a session in one turn of the event loop: each takes about 0.1 ms, with what follows from it. */
const STARTS_PER_TURN = 20;

type Settings = Pick<Config, 'credentialsPrivateKey' | 'replyTimeoutMs' | 'connectTimeoutMs'>;

export interface Collection {
  /** Runs the session a delivery carries. */
  run: (delivery: Delivery) => Promise<Disposition>;
  /** Takes a broadcast of `amr.control`. One that cannot be read is ignored, as it may be of a newer version. */
  control: (body: Buffer) => void;
  /** Sessions open now. */
  openSessions: () => number;
  /** Ends open sessions; their runs are reported as lost and sent again by the scheduler. */
  abort: () => void;
}

/** What the session as a whole found out. */
interface SessionFindings {
  clock_deviation_seconds?: number;
  reached?: boolean;
  unreachable_reason?: string;
}

/**
 * Carries out poll sessions: one connection, the calls in order, readings published and confirmed before the outcome of
 * their call is, and both before the session is acknowledged. A crash between any two repeats work and loses nothing.
 */
export function createCollection(
  broker: Broker,
  publisher: Pick<ReadingPublisher, 'publish'>,
  settings: Settings,
  log: Logger,
): Collection {
  const stopping = new AbortController();
  // One listener for each open session: that many are meant.
  setMaxListeners(0, stopping.signal);
  const poller = `${hostname()}:${process.pid}`;
  const cancelled = new CancelledRuns();
  const pace = new Pace(STARTS_PER_TURN);
  const keys = settings.credentialsPrivateKey === undefined ? undefined : KeyRing.parse(settings.credentialsPrivateKey);
  let open = 0;

  const report = (result: ResultMessage) => broker.publish('amr.results', encode(result));

  const reportLost = (session: string) =>
    report({ type: 'session_finished', session, outcome: 'lost', duration_ms: 0, poller });

  async function run(delivery: Delivery): Promise<Disposition> {
    const deliveredAt = performance.now();
    await pace.turn();
    const decoded = decode(PollSessionMessage, delivery.body);
    if (!decoded.ok) return { kind: 'dead-letter', reason: decoded.reason };
    const message = decoded.message;
    const sessionLog = log.child({ session: message.session, meter: message.meter.name });
    try {
      if (delivery.redelivered) {
        // Another poller had it and may still be at the meter: a second session beside the first must not be.
        sessionLog.warn('a session came a second time; reported as lost');
        await reportLost(message.session);
        return ACK;
      }
      if (stopping.signal.aborted) return REQUEUE;
      const reportedAt = performance.now();
      await report({ type: 'session_started', session: message.session });
      // The confirms of a burst come together too.
      await pace.turn();
      // A poller that was frozen finds its delivery given to another meanwhile; the confirm above took it past the news.
      if (delivery.revoked?.()) return REQUEUE;
      const startedAt = performance.now();
      if (startedAt - deliveredAt > message.start_by_ms || startedAt - reportedAt > BEGIN_WITHIN_MS) {
        // Its lease may have ended while the confirm was waited for, and another session may be at the meter by now.
        sessionLog.warn('a session could not begin in time; reported as lost');
        await reportLost(message.session);
        return ACK;
      }
      openSessions.inc();
      open++;
      let findings: SessionFindings;
      try {
        findings = await carryOut(message, sessionLog);
      } finally {
        openSessions.dec();
        open--;
        sessionSeconds.observe((performance.now() - startedAt) / 1000);
      }
      await report({
        type: 'session_finished',
        session: message.session,
        outcome: 'done',
        duration_ms: Math.round(performance.now() - startedAt),
        ...findings,
        poller,
      });
      return ACK;
    } catch (error) {
      // Nothing was confirmed that is not reported: back to the queue, where the next poller reports it as lost.
      sessionLog.warn({ err: messageOf(error) }, 'the outcome of a session could not be reported');
      return REQUEUE;
    }
  }

  /** Runs the calls and reports each. */
  async function carryOut(message: PollSessionMessage, sessionLog: Logger): Promise<SessionFindings> {
    const over = new AbortController();
    const { signal } = over;
    const timer = setTimeout(
      () =>
        over.abort(
          new MeterError(
            'SESSION_CAP',
            `the session took longer than ${message.session_cap_ms / 1000} s and was ended`,
          ),
        ),
      message.session_cap_ms,
    );
    // Joined by hand: `AbortSignal.any` leaves something on the poller's own signal for each session (seen on Node 20).
    const onStop = () => over.abort(stopping.signal.reason);
    stopping.signal.addEventListener('abort', onStop, { once: true });
    if (stopping.signal.aborted) onStop();
    const calls = new SessionCalls(message.calls, (runId) => cancelled.has(runId));
    const unwatch = cancelled.watch(
      message.calls.map((call) => call.run),
      (runId) => {
        if (calls.cancel(runId)) over.abort(new MeterError('CANCELLED', 'the run was cancelled during its session'));
      },
    );
    const settleEnded = async (runId: string, error: MeterError) => {
      await settle(message, { runId, readings: [], error });
      calls.settled(runId);
    };
    const settleWithdrawn = async () => {
      for (const runId of calls.withdrawn()) await settleEnded(runId, withdrawnError());
    };
    const findings: SessionFindings = {};
    let link: Link | undefined;
    const end = () => link?.destroy(asMeterError(signal.reason));
    signal.addEventListener('abort', end, { once: true });
    try {
      await settleWithdrawn();
      for (const type of new Set(message.calls.map((call) => call.meter_execution_type))) {
        const context = executionContexts.get(type);
        if (!context || !calls.waiting().some((call) => call.meter_execution_type === type)) continue;
        const credentials = openCredentials(message, keys);
        const opened = await openLink(message.connection, settings)(signal);
        link = opened;
        findings.reached = true;
        const outcomes = context.run(
          {
            meter: {
              name: message.meter.name,
              serialNumber: message.meter.serial_number,
              protocolAddress: message.meter.protocol_address,
              manufacturer: message.meter.manufacturer,
              model: message.meter.model,
              timeZone: message.meter.time_zone,
            },
            credentials,
            calls: calls.turns(type, signal),
          },
          { link: opened, now: Date.now, replyTimeoutMs: settings.replyTimeoutMs },
        );
        for await (const outcome of outcomes) {
          calls.leaveMeter(outcome.runId);
          findings.clock_deviation_seconds = outcome.clockDeviationSeconds ?? findings.clock_deviation_seconds;
          await settle(message, outcome);
          calls.settled(outcome.runId);
          await settleWithdrawn();
        }
        opened.destroy();
      }
      for (const { run: runId, meter_execution_type: type } of calls.waiting()) {
        const error = new MeterError(
          'UNSUPPORTED',
          `this poller does not know the execution type ${type}; it may be older than the scheduler`,
        );
        await settleEnded(runId, error);
      }
      await settleWithdrawn();
    } catch (error) {
      if (error instanceof PublishError) throw error;
      const reason = signal.aborted ? asMeterError(signal.reason) : asMeterError(error);
      sessionLog.info({ code: reason.code, phase: reason.phase }, reason.message);
      if (link === undefined && isUnreachable(reason)) {
        findings.reached = false;
        findings.unreachable_reason = reason.message;
      }
      for (const [runId, ending] of calls.endings(reason)) await settleEnded(runId, ending);
    } finally {
      clearTimeout(timer);
      unwatch();
      stopping.signal.removeEventListener('abort', onStop);
      signal.removeEventListener('abort', end);
      link?.destroy();
    }
    return findings;
  }

  /** Publishes what a call read, then how it ended: the other order could report readings that are lost. */
  async function settle(message: PollSessionMessage, outcome: CallOutcome): Promise<void> {
    const messages = readingMessages(message, outcome);
    await Promise.all(messages.map((body) => publisher.publish(body)));
    collected.inc(outcome.readings.length);
    await report({
      type: 'run_finished',
      session: message.session,
      run: outcome.runId,
      ok: outcome.error === undefined,
      reading_count: outcome.readings.length,
      error: outcome.error && { code: outcome.error.code, message: outcome.error.message, phase: outcome.error.phase },
      result: outcome.result as Record<string, never> | undefined,
      resume: outcome.error && (outcome.resume as Record<string, never> | undefined),
    });
  }

  return {
    run,
    control: (body) => {
      const decoded = decode(ControlMessage, body);
      if (decoded.ok && decoded.message.type === 'cancel_runs') cancelled.add(decoded.message.runs);
      else if (!decoded.ok) log.debug({ reason: decoded.reason }, 'a control message was ignored');
    },
    openSessions: () => open,
    abort: () => stopping.abort(new MeterError('LOST', 'the poller was stopped during the session')),
  };
}

/** Whether the way to the meter was found closed; a meter that is reached may be silent all the same. */
function isUnreachable({ code }: MeterError): boolean {
  return code === 'CONNECT_REFUSED' || code === 'UNREACHABLE';
}

function asMeterError(error: unknown): MeterError {
  return error instanceof MeterError
    ? error
    : new MeterError('INTERNAL', messageOf(error), undefined, { cause: error });
}
