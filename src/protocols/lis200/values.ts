import { MeterError } from '../../errors.js';
import { formatDataSet, parseDataLine, type DataSet } from '../iec62056-21/data-set.js';
import type { Procedure } from '../iec62056-21/procedure.js';
import { readText, writeText } from '../iec62056-21/programming-mode.js';
import { isEchoOf, parseAddress, wireAddress, type Address } from './address.js';
import { errorNumber, Lis200Error } from './error-telegram.js';

/** Reads one object. Throws `Lis200Error` when the device answers with an error telegram. */
export function* readValue(address: Address, phase = `read ${wireAddress(address)}`): Procedure<DataSet> {
  const text = yield* readText(phase, `${wireAddress(address)}(1)`, (answer) => isValueOf(address, answer));
  const sets = parseDataLine(text);
  const number = errorNumber(sets);
  if (number !== undefined) throw new Lis200Error(number, phase);
  return sets[0]!;
}

/** As `readValue`, for an address known to be well-formed. */
export function readObject(address: string, phase?: string): Procedure<DataSet> {
  return readValue(parseAddress(address)!, phase);
}

/** As `readObject`, undefined when the device does not have the object. */
export function* readOptional(address: string, phase?: string): Procedure<DataSet | undefined> {
  try {
    return yield* readObject(address, phase);
  } catch (error) {
    if (error instanceof Lis200Error && error.code === 'NOT_AVAILABLE') return undefined;
    throw error;
  }
}

/**
 * Writes one object. Throws `Lis200Error`, or `REFUSED` for a NAK. When the acknowledgement does not come the step
 * fails and it is unknown whether the value was written.
 */
export function* writeObject(address: string, value: string, phase: string): Procedure<void> {
  const answer = yield* writeText(phase, formatDataSet({ address: wireAddress(parseAddress(address)!), value }));
  if (!answer) return;
  const number = errorNumber(parseDataLine(answer.refusal));
  if (number !== undefined) throw new Lis200Error(number, phase);
  throw new MeterError('REFUSED', `the meter refused to write ${address}`, phase);
}

function isValueOf(address: Address, answer: string): boolean {
  const [first, ...others] = parseDataLine(answer);
  return first !== undefined && others.length === 0 && isEchoOf(address, first.address);
}
