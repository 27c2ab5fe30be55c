import { MeterError } from '../../errors.js';
import type { Procedure } from '../iec62056-21/procedure.js';
import { readObject, writeObject } from './values.js';

/**
 * Opens lock `lock` with its code, and tells whether it was closed before: only then is it ours to close. A lock found
 * open was opened by somebody else. Throws `WRONG_PASSWORD` for a wrong code, `ACCESS_DENIED` when one is needed and
 * there is none.
 */
export function* openLock(lock: number, code: string | undefined): Procedure<boolean> {
  const phase = `open lock ${lock}`;
  // The state is read first because writing the code object of an open lock changes the code.
  if (yield* isOpen(lock, phase)) return false;
  if (code === undefined) {
    throw new MeterError(
      'ACCESS_DENIED',
      `lock ${lock} is closed and no password is known: set credentials.password of the meter`,
      phase,
    );
  }
  try {
    yield* writeObject(`${lock}:171`, code, phase);
  } catch (error) {
    // Firmware that answers a wrong code with NAK; the error telegram is already mapped.
    if (error instanceof MeterError && error.code === 'REFUSED') throw wrongCode(lock, phase, error);
    throw error;
  }
  // Some firmware acknowledges a wrong code.
  if (!(yield* isOpen(lock, phase))) throw wrongCode(lock, phase);
  return true;
}

/** Closes a lock that `openLock` opened. */
export function closeLock(lock: number): Procedure<void> {
  return writeObject(`${lock}:170`, '0', `close lock ${lock}`);
}

function* isOpen(lock: number, phase: string): Procedure<boolean> {
  const { value } = yield* readObject(`${lock}:170`, phase);
  if (!/^0*[01]$/.test(value)) {
    throw new MeterError('PROTOCOL', `lock ${lock} is in state ${JSON.stringify(value)}, neither 0 nor 1`, phase);
  }
  return value.endsWith('1');
}

function wrongCode(lock: number, phase: string, cause?: Error): MeterError {
  return new MeterError('WRONG_PASSWORD', `the meter did not accept the code of lock ${lock}`, phase, { cause });
}
