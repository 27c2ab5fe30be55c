import { multiplyDecimals } from '../../domain/decimal.js';
import { knownUnit, powerOfTenBetween } from '../../domain/units.js';
import type { Place, RegisterTarget } from './directory.js';
import { rejectionOf, type Rejection, type ValidReading } from './validate.js';

/** A reading with its place in storage, as it is billed. */
export interface EnrichedReading {
  envelope: ValidReading['envelope'];
  target: RegisterTarget;
  /** Milliseconds since the epoch. */
  measuredAt: number;
  /** By multiplier and transformer ratios. */
  value: string;
  /** As the meter sent it, in the unit of the series, where that is not `value`. */
  rawValue: string | undefined;
  quality: number;
  /** Where the meter was when it was measured. */
  place: Place | undefined;
}

/** What the registers say about the readings of a message or a batch. */
export interface Enriched {
  known: readonly EnrichedReading[];
  /** Of meters nobody has created yet. */
  unknown: readonly ValidReading[];
  rejections: readonly Rejection[];
}

/** The target of each reading, by its place; undefined for those of meters nobody has created yet. */
export type Targets = readonly (RegisterTarget | undefined)[];

/**
 * Pure: readings with what their registers say about them. A unit that is not that of the series is converted or refused.
 * @param from where the targets of these readings begin
 */
export function enrichReadings(readings: readonly ValidReading[], targets: Targets, from = 0): Enriched {
  const [first] = readings;
  if (first === undefined) return { known: NONE, unknown: NONE, rejections: NONE };
  if (readings.length === 1) {
    const target = targets[from];
    if (target === undefined) return { known: NONE, unknown: readings, rejections: NONE };
    const enriched = enrichReading(first, target);
    return enriched === undefined
      ? { known: NONE, unknown: NONE, rejections: [rejectionOf(first, unitReason(first, target))] }
      : { known: [enriched], unknown: NONE, rejections: NONE };
  }
  const known: EnrichedReading[] = [];
  const unknown: ValidReading[] = [];
  const rejections: Rejection[] = [];
  for (let index = 0; index < readings.length; index++) {
    const reading = readings[index]!;
    const target = targets[from + index];
    const enriched = target && enrichReading(reading, target);
    if (target === undefined) unknown.push(reading);
    else if (enriched === undefined) rejections.push(rejectionOf(reading, unitReason(reading, target)));
    else known.push(enriched);
  }
  return { known, unknown, rejections };
}

/** Shared: one-reading messages come by the million. */
const NONE: readonly never[] = [];

/** Undefined for a unit that cannot be that of the series. */
function enrichReading(reading: ValidReading, target: RegisterTarget): EnrichedReading | undefined {
  const exponent = exponentOf(reading, target);
  if (exponent === undefined) return undefined;
  const { envelope, measuredAt, quality } = reading;
  const { factor, stays } = target;
  const value = exponent === 0 ? reading.value : multiplyDecimals(reading.value, powerOfTen(exponent));
  return {
    envelope,
    target,
    measuredAt,
    value: factor === undefined ? value : multiplyDecimals(value, factor),
    rawValue: factor === undefined ? undefined : value,
    quality,
    place: stays.length === 0 ? undefined : stays.find(({ from, to }) => measuredAt >= from && measuredAt < to)?.place,
  };
}

/** Power of ten that brings the value to the unit of the series; undefined where there is none. */
function exponentOf({ unit }: ValidReading, target: RegisterTarget): number | undefined {
  if (unit === undefined || unit === target.unit) return 0;
  // A series without a unit says nothing of what its values are in.
  if (target.unit === null) return knownUnit(unit) === undefined ? undefined : 0;
  return powerOfTenBetween(unit, target.unit);
}

function unitReason({ unit, series }: ValidReading, target: RegisterTarget): string {
  return target.unit === null
    ? `unit: ${JSON.stringify(unit)} is no known unit, such as kWh, m3 or °C; leave it out, or give the series ${series} this unit`
    : `unit: ${JSON.stringify(unit)} does not convert to ${target.unit}, the unit of series ${series}`;
}

function powerOfTen(exponent: number): string {
  return exponent > 0 ? `1${'0'.repeat(exponent)}` : `0.${'0'.repeat(-exponent - 1)}1`;
}
