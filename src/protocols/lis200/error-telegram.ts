import { MeterError, type MeterErrorCode } from '../../errors.js';
import type { DataSet } from '../iec62056-21/data-set.js';

/** Error numbers of LIS200 devices. The list is open: firmware adds to it. */
const MEANINGS: ReadonlyMap<number, string> = new Map([
  [1, 'unknown address'],
  [2, 'object not available'],
  [3, 'instance of the object not available'],
  [4, 'unknown attribute'],
  [5, 'attribute not available for this object'],
  [6, 'value out of range'],
  [9, 'a constant cannot be written'],
  [11, 'no range, input not allowed'],
  [13, 'wrong input'],
  [14, 'unknown unit code'],
  [17, 'wrong access code'],
  [18, 'no permission to read'],
  [19, 'no permission to write'],
  [20, 'function locked'],
  [100, 'no such archive'],
  [101, 'no such column in the archive'],
  [103, 'archive empty'],
  [104, 'lower limit not found in the archive'],
  [105, 'upper limit not found in the archive'],
  [108, 'too many archives open at once'],
  [109, 'row overwritten while it was read'],
  [110, 'checksum error in a stored row'],
  [180, 'source not allowed'],
  [200, 'syntax error in the telegram'],
  [201, 'wrong password in the telegram'],
  [222, 'error while reading the memory'],
  [223, 'error while writing the memory'],
  [249, 'counter cannot be changed'],
]);

const CODES: ReadonlyMap<number, MeterErrorCode> = new Map<number, MeterErrorCode>([
  ...[1, 2, 3, 4, 5, 100, 101].map((number) => [number, 'NOT_AVAILABLE'] as const),
  ...[18, 19, 20].map((number) => [number, 'ACCESS_DENIED'] as const),
  ...[17, 201].map((number) => [number, 'WRONG_PASSWORD'] as const),
]);

export const ARCHIVE_EMPTY = 103;
export const LOWER_LIMIT_NOT_FOUND = 104;
export const UPPER_LIMIT_NOT_FOUND = 105;
export const ROW_OVERWRITTEN = 109;

/** The device answered with an error telegram `(#nnnn)`. The session goes on. */
export class Lis200Error extends MeterError {
  constructor(
    readonly number: number,
    phase: string,
  ) {
    const meaning = MEANINGS.get(number) ?? 'a number this product does not know';
    super(CODES.get(number) ?? 'REFUSED', `the meter answered error ${number}: ${meaning}`, phase);
  }
}

/** The number of an error telegram, or undefined for any other answer. */
export function errorNumber(sets: readonly DataSet[]): number | undefined {
  const digits = sets.length === 1 ? /^#(\d{1,4})$/.exec(sets[0]!.value.trim())?.[1] : undefined;
  return digits === undefined ? undefined : Number(digits);
}
