import { MeterError } from '../../errors.js';
import type { Procedure } from '../iec62056-21/procedure.js';
import { formatMeterTime, parseMeterTime } from './meter-time.js';
import { readObject, readOptional, writeObject } from './values.js';
import { deviceZone, type MeterZone, type SummerTime } from './zone.js';

const READ_PHASE = 'read clock';

/** The wall-clock time of the device (1:400). */
export function* readClock(): Procedure<number> {
  const { value } = yield* readObject('1:400', READ_PHASE);
  return wallTime(value);
}

/** Sets the clock (1:400). The supplier lock must be open. Unlike a read it is never repeated. */
export function writeClock(wallMs: number): Procedure<void> {
  return writeObject('1:400', formatMeterTime(wallMs), 'set clock');
}

/** The zone of the device's clock, or undefined when it does not tell its UTC offset (1:40F). */
export function* readZone(): Procedure<MeterZone | undefined> {
  const offset = yield* readOptional('1:40F', READ_PHASE);
  if (!offset) return undefined;
  if (!/^[+-]?\d{1,3}$/.test(offset.value)) {
    throw new MeterError('PROTOCOL', `the UTC offset ${JSON.stringify(offset.value)} is not in minutes`, READ_PHASE);
  }
  return deviceZone(Number(offset.value), yield* readSummerTime());
}

function* readSummerTime(): Procedure<SummerTime> {
  const mode = Number((yield* readOptional('1:407', READ_PHASE))?.value ?? 0);
  if (mode === 1) return { mode: 'automatic' };
  if (mode !== 2) return { mode: 'none' };
  const startWallMs = parseMeterTime((yield* readOptional('1:4A0', READ_PHASE))?.value ?? '');
  const endWallMs = parseMeterTime((yield* readOptional('1:4A8', READ_PHASE))?.value ?? '');
  // Times that cannot be read: the rule that they are normally set to is closer than none at all.
  if (startWallMs === undefined || endWallMs === undefined) return { mode: 'automatic' };
  return { mode: 'fixed', startWallMs, endWallMs };
}

/** Length of the measurement period (4:150), at whose ends archive rows are written. One hour when the device does not tell. */
export function* readPeriodMinutes(): Procedure<number> {
  const minutes = Number((yield* readOptional('4:150', 'read archive period'))?.value ?? 60);
  return Number.isInteger(minutes) && minutes >= 1 && minutes <= 1440 ? minutes : 60;
}

function wallTime(text: string): number {
  const wallMs = parseMeterTime(text);
  if (wallMs !== undefined) return wallMs;
  throw new MeterError('PROTOCOL', `the clock reads ${JSON.stringify(text)}, which is no date and time`, READ_PHASE);
}
