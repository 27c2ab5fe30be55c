import { setMaxListeners } from 'node:events';
import { hostname } from 'node:os';
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Config } from '../config.js';
import { open as openBox } from '../credentials.js';
import { uuidAt } from '../domain/uuid.js';
import { MeterError, messageOf } from '../errors.js';
import { executionContexts } from '../execution/contexts.js';
import type { CallOutcome, CollectedReading } from '../execution/execution-context.js';
import { ACK, PublishError, REQUEUE, type Broker, type Delivery, type Disposition } from '../messaging/broker.js';
import {
  decode,
  encode,
  PollSessionMessage,
  type NewMeterReadingMessage,
  type ResultMessage,
} from '../messaging/contracts.js';
import { metrics, type Logger } from '../telemetry.js';
import type { Link } from '../transports/link.js';
import { openLink } from '../transports/open-link.js';

/** Readings in one message, at most; a longer archive is split. */
const READINGS_PER_MESSAGE = 1_000;

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

type Settings = Pick<Config, 'credentialsPrivateKey' | 'replyTimeoutMs' | 'connectTimeoutMs'>;

export interface Collection {
  /** Runs the session a delivery carries. */
  run: (delivery: Delivery) => Promise<Disposition>;
  /** Ends open sessions; their runs are reported as lost and sent again by the scheduler. */
  abort: () => void;
}

/**
 * Carries out poll sessions: one connection, the calls in order, readings published and confirmed before the outcome of
 * their call is, and both before the session is acknowledged. A crash between any two repeats work and loses nothing.
 */
export function createCollection(broker: Broker, settings: Settings, log: Logger): Collection {
  const stopping = new AbortController();
  // One listener for each open session: that many are meant.
  setMaxListeners(0, stopping.signal);
  const poller = `${hostname()}:${process.pid}`;

  const report = (result: ResultMessage) => broker.publish('amr.results', encode(result));

  async function run(delivery: Delivery): Promise<Disposition> {
    const decoded = decode(PollSessionMessage, delivery.body);
    if (!decoded.ok) return { kind: 'dead-letter', reason: decoded.reason };
    const message = decoded.message;
    const sessionLog = log.child({ session: message.session, meter: message.meter.name });
    try {
      if (delivery.redelivered) {
        // Another poller had it and may still be at the meter: a second session beside the first must not be.
        sessionLog.warn('a session came a second time; reported as lost');
        await report({ type: 'session_finished', session: message.session, outcome: 'lost', duration_ms: 0, poller });
        return ACK;
      }
      if (stopping.signal.aborted) return REQUEUE;
      await report({ type: 'session_started', session: message.session });
      // A poller that was frozen finds its delivery given to another meanwhile; the confirm above took it past the news.
      if (delivery.revoked?.()) return REQUEUE;
      const startedAt = performance.now();
      openSessions.inc();
      let deviation: number | undefined;
      try {
        deviation = await carryOut(message, sessionLog);
      } finally {
        openSessions.dec();
        sessionSeconds.observe((performance.now() - startedAt) / 1000);
      }
      await report({
        type: 'session_finished',
        session: message.session,
        outcome: 'done',
        duration_ms: Math.round(performance.now() - startedAt),
        clock_deviation_seconds: deviation,
        poller,
      });
      return ACK;
    } catch (error) {
      // Nothing was confirmed that is not reported: back to the queue, where the next poller reports it as lost.
      sessionLog.warn({ err: messageOf(error) }, 'the outcome of a session could not be reported');
      return REQUEUE;
    }
  }

  /** Runs the calls and reports each. Returns the clock deviation, if one was measured. */
  async function carryOut(message: PollSessionMessage, sessionLog: Logger): Promise<number | undefined> {
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
    const unsettled = new Set(message.calls.map((call) => call.run));
    let deviation: number | undefined;
    let link: Link | undefined;
    const end = () => link?.destroy(asMeterError(signal.reason));
    signal.addEventListener('abort', end, { once: true });
    try {
      for (const type of new Set(message.calls.map((call) => call.meter_execution_type))) {
        const context = executionContexts.get(type);
        if (!context) continue;
        const credentials = openCredentials(message, settings.credentialsPrivateKey);
        const opened = await openLink(message.connection, settings)(signal);
        link = opened;
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
            calls: message.calls
              .filter((call) => call.meter_execution_type === type)
              .map((call) => ({ runId: call.run, taskCall: call.task_call, kwargs: call.task_kwargs })),
          },
          { link: opened, now: Date.now, replyTimeoutMs: settings.replyTimeoutMs },
        );
        for await (const outcome of outcomes) {
          deviation = outcome.clockDeviationSeconds ?? deviation;
          await settle(message, outcome);
          unsettled.delete(outcome.runId);
        }
        opened.destroy();
      }
      for (const runId of unsettled) {
        const type = message.calls.find((call) => call.run === runId)!.meter_execution_type;
        const error = new MeterError(
          'UNSUPPORTED',
          `this poller does not know the execution type ${type}; it may be older than the scheduler`,
        );
        await settle(message, { runId, readings: [], error });
      }
    } catch (error) {
      if (error instanceof PublishError) throw error;
      const reason = signal.aborted ? asMeterError(signal.reason) : asMeterError(error);
      sessionLog.info({ code: reason.code, phase: reason.phase }, reason.message);
      for (const runId of unsettled) await settle(message, { runId, readings: [], error: reason });
    } finally {
      clearTimeout(timer);
      stopping.signal.removeEventListener('abort', onStop);
      signal.removeEventListener('abort', end);
      link?.destroy();
    }
    return deviation;
  }

  /** Publishes what a call read, then how it ended: the other order could report readings that are lost. */
  async function settle(message: PollSessionMessage, outcome: CallOutcome): Promise<void> {
    const messages = readingMessages(message, outcome);
    await Promise.all(
      messages.map((body) => broker.publish('readings.new', encode(body), { messageId: body.message_id })),
    );
    collected.inc(outcome.readings.length);
    await report({
      type: 'run_finished',
      session: message.session,
      run: outcome.runId,
      ok: outcome.error === undefined,
      reading_count: outcome.readings.length,
      error: outcome.error && { code: outcome.error.code, message: outcome.error.message, phase: outcome.error.phase },
      result: outcome.result as Record<string, never> | undefined,
    });
  }

  return {
    run,
    abort: () => stopping.abort(new MeterError('LOST', 'the poller was stopped during the session')),
  };
}

function readingMessages(session: PollSessionMessage, outcome: CallOutcome): NewMeterReadingMessage[] {
  const collectedAt = new Date().toISOString();
  const messages: NewMeterReadingMessage[] = [];
  for (let from = 0; from < outcome.readings.length; from += READINGS_PER_MESSAGE) {
    messages.push({
      version: 1,
      message_id: uuidAt(),
      organization: session.organization,
      meter_device: session.meter.id,
      origin: session.origin,
      task_run: outcome.runId,
      collected_at: collectedAt,
      readings: outcome.readings.slice(from, from + READINGS_PER_MESSAGE).map(toItem),
    });
  }
  return messages;
}

function toItem(reading: CollectedReading): NewMeterReadingMessage['readings'][number] {
  return {
    series: reading.series,
    timestamp: new Date(reading.measuredAt).toISOString(),
    value: reading.value,
    unit: reading.unit,
    status: reading.status || undefined,
  };
}

function openCredentials(
  message: PollSessionMessage,
  privateKey: string | undefined,
): Record<string, string> | undefined {
  if (message.sealed_credentials === undefined) return undefined;
  if (privateKey === undefined) {
    throw new MeterError(
      'BAD_CREDENTIALS',
      'the meter has sealed credentials and this poller has no AMR_CREDENTIALS_PRIVATE_KEY',
    );
  }
  try {
    return openBox(privateKey, message.meter.id, Buffer.from(message.sealed_credentials, 'base64'));
  } catch (error) {
    throw new MeterError(
      'BAD_CREDENTIALS',
      `the meter's credentials cannot be opened: ${messageOf(error)}`,
      'credentials',
      { cause: error },
    );
  }
}

function asMeterError(error: unknown): MeterError {
  return error instanceof MeterError
    ? error
    : new MeterError('INTERNAL', messageOf(error), undefined, { cause: error });
}
