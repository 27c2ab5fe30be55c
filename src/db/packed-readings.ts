/**
 * Readings of a register in the order of time, packed by PostgreSQL into three values. A row of the driver's for each reading,
 * with a `Date`, costs several times what reading them costs.
 */
export interface PackedReadings {
  readonly id: number;
  /** Big-endian microseconds since 2000, eight bytes each. */
  readonly times: Buffer;
  /** Separated by commas. */
  readonly values: string;
  /** Null where all are good. */
  readonly qualities: number[] | null;
}

/**
 * Packs what `readings` gives as (id, measured_at, value, quality), ordered by id and measured_at: aggregates take their input
 * in the order it comes in, which `unpackTimes` checks.
 */
export function packed(readings: string): string {
  return `select id, string_agg(timestamptz_send(measured_at), '') as times, string_agg(value::text, ',') as values,
                 case when bit_or(quality) <> 0 then array_agg(quality) end as qualities
            from (${readings}) readings group by id`;
}

const TIME_BYTES = 8;
/** 2000-01-01, from which PostgreSQL counts. */
const EPOCH_MS = 946_684_800_000;

export function countOf({ times }: PackedReadings): number {
  return times.length / TIME_BYTES;
}

/** Microseconds since 2000 of the first readings. Throws when PostgreSQL did not keep the order. */
export function unpackTimes({ id, times }: PackedReadings, count: number): number[] {
  const view = new DataView(times.buffer, times.byteOffset, times.length);
  const unpacked = new Array<number>(count);
  let before = -Infinity;
  for (let index = 0; index < count; index++) {
    const at = index * TIME_BYTES;
    // Below 2^53 for the years that readings are of.
    const microseconds = view.getInt32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
    if (microseconds <= before) throw new Error(`readings of register ${id} came out of the order of time`);
    before = microseconds;
    unpacked[index] = microseconds;
  }
  return unpacked;
}

/** Milliseconds since the epoch of microseconds since 2000; later digits are cut off. */
export function millisecondsOf(microseconds: number): number {
  return EPOCH_MS + Math.floor(microseconds / 1000);
}

/** ISO 8601 in UTC to the microsecond, such as `2026-01-31T09:00:00.000000Z`. */
export function preciseInstant(microseconds: number): string {
  const rest = ((microseconds % 1000) + 1000) % 1000;
  return `${new Date(millisecondsOf(microseconds)).toISOString().slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}
