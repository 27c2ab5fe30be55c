import type { z } from 'zod';
import type { MeterError } from '../errors.js';
import type { Link } from '../transports/link.js';

/** A value as a meter gave it: text stays text, the time is absolute. */
export interface CollectedReading {
  /** OBIS code or the protocol's normalised address, such as `2:300`. */
  series: string;
  /** Milliseconds since the epoch. */
  measuredAt: number;
  /** Decimal text exactly as sent. */
  value: string;
  unit?: string;
  /** Meter status bits where the protocol gives them. */
  status?: number;
}

/** One call to carry out within a session. `kwargs` were validated when the task was saved and are parsed again here. */
export interface SessionCall {
  runId: string;
  taskCall: string;
  kwargs: Record<string, unknown>;
  /** `CallOutcome.resume` of an earlier try. */
  resume?: Record<string, unknown> | undefined;
}

export interface SessionMeter {
  name: string;
  /** Checked against the meter before anything is read, when set. */
  serialNumber?: string;
  protocolAddress?: string;
  manufacturer?: string;
  model?: string;
  /** IANA zone, for meters that do not tell their offset. */
  timeZone: string;
}

export interface SessionRequest {
  meter: SessionMeter;
  /** Opened credentials, such as `{password: '00000000'}`. Never logged. */
  credentials?: Record<string, string>;
  /** Taken one by one, each when the one before has ended: by then it may have been cancelled. */
  calls: Iterable<SessionCall>;
}

export interface SessionEnvironment {
  link: Link;
  /** Milliseconds since the epoch. */
  now(): number;
  replyTimeoutMs: number;
}

/** How one call ended. A failed call keeps the readings it had before it failed. */
export interface CallOutcome {
  runId: string;
  readings: CollectedReading[];
  /** What a call that returns a value answers, such as `{value: '884301.5120', unit: 'm3'}`. */
  result?: Record<string, unknown>;
  /** Meter clock minus ours, when the call measured it. */
  clockDeviationSeconds?: number;
  error?: MeterError;
  /** With `error`: where another try goes on, as `readings` are kept. Plain JSON; the call alone understands it. */
  resume?: Record<string, unknown>;
}

/** A task call that a context offers. */
export interface TaskCallDescription {
  name: string;
  description: string;
  writesToMeter: boolean;
  /** Whether a second execution does no harm. Reads always; writes only where declared. */
  idempotent: boolean;
  /** Parses and normalises kwargs; unknown keys are errors. */
  kwargs: z.ZodType<Record<string, unknown>>;
  /**
   * Kwargs as saved, changed so that one execution at the latest of several slots reads what one at each would have,
   * the oldest being `spanSeconds` earlier. Undefined where that cannot be. Absent: each slot needs an execution.
   */
  mergeSlots?(kwargs: Record<string, unknown>, spanSeconds: number): Record<string, unknown> | undefined;
}

/**
 * A meter execution context: named task calls over one protocol. `run` signs on once, verifies the meter's identity, and
 * yields one outcome per call in order. A failure that ends the session is thrown as `MeterError`: it stands for
 * every call that has no outcome yet. The caller owns the link and destroys it.
 */
export interface ExecutionContext {
  /** As in `AmrTask.meterExecutionType`, such as `generic_lis200`. */
  name: string;
  description: string;
  calls: ReadonlyMap<string, TaskCallDescription>;
  run(request: SessionRequest, environment: SessionEnvironment): AsyncGenerator<CallOutcome, void, void>;
}
