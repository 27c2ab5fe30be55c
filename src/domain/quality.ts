/** Bits of `MeterReading.quality`, also used as `status` in messages. 0 is good. Append only: they are stored. */
export const QUALITY_FLAGS = {
  /** The meter's own check of the stored row failed. */
  CHECK_FAILED: 1,
  /** The meter reported a clock that was not set. */
  CLOCK_NOT_SET: 2,
  /** The counter ran while the meter's measurement was disturbed. */
  DISTURBED: 4,
  ESTIMATED: 8,
  SUBSTITUTED: 16,
  /** The meter reported a power failure in the period. */
  POWER_FAILURE: 32,
} as const;

const NAMES = Object.entries(QUALITY_FLAGS).map(([name, bit]) => ({ name, bit }));
const KNOWN_BITS = NAMES.reduce((bits, flag) => bits | flag.bit, 0);

/** Names of the bits set, lowest first; bits without a name as one `STATUS_<number>`. Empty = good. */
export function qualityCodes(quality: number): string[] {
  if (quality === 0) return [];
  const codes = NAMES.filter(({ bit }) => quality & bit).map(({ name }) => name);
  const rest = quality & ~KNOWN_BITS;
  return rest === 0 ? codes : [...codes, `STATUS_${rest >>> 0}`];
}
