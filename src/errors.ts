/** What a client of the API or the command line can act on. */
export type InputErrorCode =
  'BAD_USER_INPUT' | 'NOT_FOUND' | 'CONFLICT' | 'FORBIDDEN' | 'UNAUTHENTICATED' | 'LIMIT_EXCEEDED' | 'TIMEOUT';

/**
 * A request that cannot be carried out as asked. The message says what was attempted, on what, and the cure; `field`
 * is the path of the input at fault, such as `input.runOffsetSeconds`.
 */
export class InputError extends Error {
  override readonly name = 'InputError';
  constructor(
    readonly code: InputErrorCode,
    message: string,
    readonly field?: string,
  ) {
    super(message);
  }
}

/** A wrong setting or an environment that the process cannot start in. The message is for the operator's eyes: no stack is shown. */
export class StartupError extends Error {
  override readonly name = 'StartupError';
}

/** Why a call on a meter did not succeed. Stored on the `TaskRun` and shown to the operator. */
export const METER_ERROR_CODES = [
  'CONNECT_REFUSED',
  'UNREACHABLE',
  'CONNECTION_LOST',
  'TIMEOUT',
  'CHECKSUM',
  'GARBAGE',
  'PROTOCOL',
  'REFUSED',
  'NOT_AVAILABLE',
  'ACCESS_DENIED',
  'WRONG_PASSWORD',
  'WRONG_METER',
  'CLOCK_DRIFT_TOO_LARGE',
  'BAD_KWARGS',
  'BAD_CREDENTIALS',
  'NO_INTERFACE',
  'UNSUPPORTED',
  'SESSION_CAP',
  'CANCELLED',
  'LOST',
  // Of runs that no session carried: why not.
  'EXPIRED',
  'NO_WORKER',
  'INTERFACE_BUSY',
  'SEGMENT_FULL',
  'CIRCUIT_OPEN',
  'CREDENTIALS_REJECTED',
  'INTERNAL',
] as const;
export type MeterErrorCode = (typeof METER_ERROR_CODES)[number];

const RETRYABLE: ReadonlySet<MeterErrorCode> = new Set<MeterErrorCode>([
  'CONNECT_REFUSED',
  'UNREACHABLE',
  'CONNECTION_LOST',
  'TIMEOUT',
  'CHECKSUM',
  'GARBAGE',
  'PROTOCOL',
  'SESSION_CAP',
  'LOST',
  'NO_WORKER',
]);

/** Whether a later try of a run that ended with `code` can help. A wrong password is never retried: meters lock out. */
export function isRetryable(code: MeterErrorCode): boolean {
  return RETRYABLE.has(code);
}

/** Phase of `BAD_CREDENTIALS` where a poller could not open them: with its own key, or another, they may be right. */
export const OPEN_CREDENTIALS_PHASE = 'open credentials';

/**
 * Whether a run that ended so says that the meter's credentials are of no use, whoever tries them. A missing phase is
 * no proof.
 */
export function rejectsCredentials(code: MeterErrorCode, phase: string | undefined): boolean {
  if (code === 'WRONG_PASSWORD') return true;
  return code === 'BAD_CREDENTIALS' && phase !== undefined && phase !== OPEN_CREDENTIALS_PHASE;
}

/**
 * A call on a meter that did not succeed. `phase` names the step of the session it failed in, such as `connect`,
 * `sign-on` or `read archive 3`.
 */
export class MeterError extends Error {
  override readonly name = 'MeterError';
  constructor(
    readonly code: MeterErrorCode,
    message: string,
    readonly phase?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
  get retryable(): boolean {
    return isRetryable(this.code);
  }
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
