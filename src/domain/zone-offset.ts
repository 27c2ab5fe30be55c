const DAY_MS = 24 * 60 * 60_000;
/** Days whose offset is kept, of one zone: a century of them. */
const MAX_DAYS_KEPT = 36_600;

/** Wall clock minus UTC at an instant, both in milliseconds. */
export type ZoneOffset = (instantMs: number) => number;

/** The offset of an IANA zone. Throws `RangeError` for a name that is none. */
export function zoneOffset(zone: string): ZoneOffset {
  const exact = exactOffset(zone);
  // Formatting costs microseconds and files have millions of rows: a day that begins and ends alike is asked for once.
  const days = new Map<number, number | undefined>();
  const ofDay = (day: number): number | undefined => {
    if (days.has(day)) return days.get(day);
    if (days.size >= MAX_DAYS_KEPT) days.clear();
    const first = exact(day * DAY_MS);
    const offset = first === exact((day + 1) * DAY_MS) ? first : undefined;
    days.set(day, offset);
    return offset;
  };
  return (instantMs) => ofDay(Math.floor(instantMs / DAY_MS)) ?? exact(instantMs);
}

function exactOffset(zone: string): ZoneOffset {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (instantMs) => {
    const seconds = Math.floor(instantMs / 1000) * 1000;
    const part = Object.fromEntries(format.formatToParts(seconds).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = part;
    return Date.UTC(year, month - 1, day, hour, minute, second) - seconds;
  };
}

/**
 * The instants at which the clock of a zone shows `wallMs` (milliseconds as if it showed UTC), earliest first: one as a
 * rule, two where the clock was set back, none where it was set forward.
 */
export function instantsOf(offsetAt: ZoneOffset, wallMs: number): number[] {
  const offsets = new Set([offsetAt(wallMs - DAY_MS), offsetAt(wallMs + DAY_MS)]);
  return [...offsets]
    .map((offset) => wallMs - offset)
    .filter((instant) => instant + offsetAt(instant) === wallMs)
    .sort((a, b) => a - b);
}
