import type { MeterErrorCode } from '../../src/errors.js';
import type { Distribution } from '../../src/simulators/distribution.js';
import type { MeterFault } from '../../src/simulators/faults.js';

const HOUR_MS = 3_600_000;

/** Answers of `delay` faults: these are late, but in time; those come when the question has been put again already. */
const SLOW_MS = { distribution: 'uniform', min: 20, max: 100 };
const LATE_MS = { distribution: 'fixed', value: 1_500 };
/** Clocks that are off by more than this are not set. */
export const MAXIMUM_DRIFT_SECONDS = 900;
/** Every clock is ahead by so much at least, so that each is to be set, and for that the password is needed. */
const DEVIATION = { distribution: 'uniform', min: 8, max: 20 };

/** A profile with every kind of fault there is, for half of the meters. */
export function faultyProfile(seed: number, begin: number): Record<string, unknown> {
  const at = (hours: number) => new Date(begin + hours * HOUR_MS).toISOString();
  const share = 0.02;
  const faults: Record<string, unknown>[] = [
    { kind: 'silent' },
    { kind: 'silent-after-sign-on' },
    // Of these bytes 14 are the identification; with more than a thousand an archive has begun.
    { kind: 'hang-up', afterBytes: 20 },
    { kind: 'hang-up', afterBytes: 1_200 },
    { kind: 'half-open', afterBytes: 14 },
    { kind: 'half-open', afterBytes: 1_200 },
    { kind: 'noise' },
    { kind: 'noise', after: true },
    { kind: 'garbage' },
    { kind: 'bad-bcc', times: 2 },
    { kind: 'bad-bcc' },
    { kind: 'nak' },
    { kind: 'wrong-identity' },
    { kind: 'wrong-password' },
    { kind: 'delay', ms: SLOW_MS },
    { kind: 'delay', ms: LATE_MS },
    { kind: 'clock', offsetSeconds: 3_600 },
    { kind: 'clock', offsetSeconds: -3_600 },
    { kind: 'clock', offsetSeconds: -120, ppm: 500 },
    { kind: 'archive-gap', from: at(-12), to: at(-6), archive: 3 },
    { kind: 'power-up', at: [at(-7.3), at(-2.6)] },
    { kind: 'archive-wrap', rows: 5 },
  ];
  return {
    seed,
    clock: { deviationSeconds: DEVIATION },
    answerDelayMs: { distribution: 'lognormal', median: 5, sigma: 0.8, max: 50 },
    faults: [
      { share: 0.05, fault: { kind: 'refuse' } },
      { share: 0.05, fault: { kind: 'busy' } },
      ...faults.map((fault) => ({ share, fault })),
    ],
  };
}

/** How far a meter's clock may be behind ours: rows younger than that it may not have written yet. */
export function behindSeconds(fault: MeterFault | undefined): number {
  return fault?.kind === 'clock' ? Math.max(0, -(fault.offsetSeconds ?? 0)) : 0;
}

export interface Expected {
  /** Whether runs may succeed. */
  success: 'always' | 'possible' | 'never';
  /** What runs may end in else. */
  codes: readonly MeterErrorCode[];
}

const ALWAYS: Expected = { success: 'always', codes: [] };
const never = (...codes: MeterErrorCode[]): Expected => ({ success: 'never', codes });
const possible = (...codes: MeterErrorCode[]): Expected => ({ success: 'possible', codes });

/** What the runs of a call may end in on a meter with this fault. */
export function expectedOf(fault: MeterFault | { kind: 'hang' } | undefined, taskCall: string): Expected {
  switch (fault?.kind) {
    case 'hang':
      return never('UNREACHABLE', 'CIRCUIT_OPEN');
    case 'refuse':
      return never('CONNECT_REFUSED', 'CIRCUIT_OPEN');
    case 'busy':
      return never('CONNECTION_LOST');
    case 'silent':
    case 'silent-after-sign-on':
      return never('TIMEOUT', 'SESSION_CAP');
    case 'hang-up':
      return fault.afterBytes < 100 ? never('CONNECTION_LOST') : possible('CONNECTION_LOST');
    case 'half-open':
      return fault.afterBytes < 100 ? never('TIMEOUT', 'SESSION_CAP') : possible('TIMEOUT', 'GARBAGE', 'SESSION_CAP');
    case 'garbage':
      return never('GARBAGE', 'SESSION_CAP');
    case 'bad-bcc':
      return fault.times === Infinity ? never('CHECKSUM') : ALWAYS;
    case 'nak':
      return never('REFUSED');
    case 'wrong-identity':
      return never('WRONG_METER');
    case 'wrong-password':
      return taskCall === 'set_time'
        ? never('WRONG_PASSWORD', 'CREDENTIALS_REJECTED')
        : possible('CREDENTIALS_REJECTED');
    case 'delay':
      return isLate(fault.ms) ? possible('TIMEOUT', 'GARBAGE', 'PROTOCOL', 'SESSION_CAP') : ALWAYS;
    case 'clock':
      return taskCall === 'set_time' && Math.abs(fault.offsetSeconds ?? 0) > MAXIMUM_DRIFT_SECONDS
        ? never('CLOCK_DRIFT_TOO_LARGE')
        : ALWAYS;
    case undefined:
    case 'noise':
    case 'archive-gap':
    case 'power-up':
    case 'archive-wrap':
      return ALWAYS;
  }
}

function isLate(ms: Distribution): boolean {
  return typeof ms === 'object' && ms.distribution === LATE_MS.distribution;
}
