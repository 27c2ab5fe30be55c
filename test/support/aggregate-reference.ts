import { SeriesKind } from '../../src/domain/enums.js';

/** What aggregates must be, reckoned reading by reading in whole thousandths. */
export interface PlainReading {
  readonly at: number;
  /** Thousandths. */
  readonly value: bigint;
  readonly quality: number;
}

export interface PlainIndex {
  readonly at: number;
  readonly installed: boolean;
  readonly value: bigint;
}

export interface PlainBucket {
  amount: bigint | null;
  min: bigint | null;
  max: bigint | null;
  first: bigint | null;
  last: bigint | null;
  sum: bigint;
  count: number;
  quality: number;
  marks: Set<string>;
}

const THOUSAND = 1000n;

/** @param readings of one register, oldest first */
export function plainBucket(
  kind: SeriesKind,
  readings: readonly PlainReading[],
  indexes: readonly PlainIndex[],
  start: number,
  end: number,
): PlainBucket {
  const atEnd = kind === SeriesKind.CUMULATIVE || kind === SeriesKind.INTERVAL;
  const within = (at: number) => (atEnd ? at > start && at <= end : at >= start && at < end);
  const own = readings.filter(({ at }) => within(at));
  const values = own.map(({ value }) => value);
  const bucket: PlainBucket = {
    amount: null,
    min: values.length === 0 ? null : values.reduce((a, b) => (b < a ? b : a)),
    max: values.length === 0 ? null : values.reduce((a, b) => (b > a ? b : a)),
    first: values[0] ?? null,
    last: values.at(-1) ?? null,
    sum: values.reduce((a, b) => a + b, 0n),
    count: own.length,
    quality: own.reduce((bits, { quality }) => bits | quality, 0),
    marks: new Set(),
  };
  if (kind === SeriesKind.INTERVAL) bucket.amount = values.length === 0 ? null : bucket.sum;
  if (kind === SeriesKind.CUMULATIVE) addDifferences(bucket, readings, indexes, within);
  return bucket;
}

function addDifferences(
  bucket: PlainBucket,
  readings: readonly PlainReading[],
  indexes: readonly PlainIndex[],
  within: (at: number) => boolean,
): void {
  // One life: what the meter showed, in the order in which it showed it; undefined where one meter ends and another begins.
  const life: { at: number; rank: number; value: bigint | undefined; reading: boolean }[] = [
    ...readings.map(({ at, value }) => ({ at, rank: 3, value, reading: true })),
    ...indexes.flatMap(({ at, installed, value }) => [
      { at, rank: installed ? 2 : 0, value, reading: false },
      { at, rank: 1, value: undefined, reading: false },
    ]),
  ].sort((a, b) => a.at - b.at || a.rank - b.rank);
  let fell = false;
  for (const [place, { at, value, reading }] of life.entries()) {
    if (!within(at)) continue;
    if (!reading) bucket.marks.add('METER_REPLACED');
    const before = life[place - 1];
    if (before === undefined) {
      if (reading) bucket.marks.add('NO_START');
      continue;
    }
    if (before.value === undefined || value === undefined) continue;
    if (value >= before.value) {
      bucket.amount = (bucket.amount ?? 0n) + value - before.value;
      continue;
    }
    const digits = (before.value / THOUSAND).toString().length;
    const modulus = 10n ** BigInt(digits) * THOUSAND;
    const rolled = digits >= 4 && before.value * 10n >= modulus * 9n && value * 10n < modulus && value >= 0n;
    if (rolled) {
      bucket.marks.add('ROLLOVER');
      bucket.amount = (bucket.amount ?? 0n) + value + modulus - before.value;
    } else {
      bucket.marks.add('UNEXPLAINED_FALL');
      fell = true;
    }
  }
  if (fell) bucket.amount = null;
}

export const thousandths = (text: string | null): bigint | null => {
  if (text === null) return null;
  const [whole = '0', fraction = ''] = text.replace('-', '').split('.');
  const value = BigInt(whole) * THOUSAND + BigInt(fraction.slice(0, 3).padEnd(3, '0'));
  return text.startsWith('-') ? -value : value;
};

export const decimalOf = (value: bigint): string => {
  const digits = (value < 0n ? -value : value).toString().padStart(4, '0');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -3)}.${digits.slice(-3)}`;
};
