import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BucketSize, CalendarBuckets } from '../../src/domain/calendar-buckets.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ZONES = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'UTC'];
const bucketsFrom = (size: BucketSize, zone: string, from: string, to: string) => {
  const buckets = new CalendarBuckets(size, zone);
  const starts = [buckets.startOf(Date.parse(from))];
  while (starts.at(-1)! < Date.parse(to)) starts.push(buckets.endOf(starts.at(-1)!));
  return starts;
};
const lengths = (starts: number[]) => starts.slice(1).map((start, index) => (start - starts[index]!) / HOUR);

/** What a clock in the zone shows, by a formatter of its own: local date, hour and minute, and the offset. */
const clocks = new Map(
  ZONES.map((timeZone) => [
    timeZone,
    new Intl.DateTimeFormat('en-CA', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      weekday: 'short',
      timeZoneName: 'longOffset',
    }),
  ]),
);
/** Equal for two instants a minute apart exactly when no bucket ends between them. */
function keyOf(size: BucketSize, zone: string, instant: number): string {
  const part = Object.fromEntries(
    clocks
      .get(zone)!
      .formatToParts(instant)
      .map(({ type, value }) => [type, value]),
  ) as Record<string, string>;
  const hour = `${part['year']}-${part['month']}-${part['day']} ${part['hour']} ${part['timeZoneName']}`;
  switch (size) {
    case BucketSize.QUARTER_HOUR:
      return `${hour} ${Math.floor(Number(part['minute']) / 15)}`;
    case BucketSize.HOUR:
      return hour;
    case BucketSize.DAY:
      return `${part['year']}-${part['month']}-${part['day']}`;
    case BucketSize.WEEK: {
      const day = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].indexOf(part['weekday']!);
      return new Date(
        Date.UTC(Number(part['year']), Number(part['month']) - 1, Number(part['day']) - day),
      ).toISOString();
    }
    case BucketSize.MONTH:
      return `${part['year']}-${part['month']}`;
    case BucketSize.YEAR:
      return part['year']!;
  }
}

/** Half of the instants lie within two days of a change of a clock. */
const CHANGES = [
  '2026-03-29T01:00Z',
  '2026-10-25T01:00Z',
  '2026-03-08T07:00Z',
  '2026-11-01T06:00Z',
  '2026-10-03T15:30Z',
  '2026-04-04T15:00Z',
].map(Date.parse);
const instants = fc.oneof(
  fc
    .integer({ min: Date.UTC(2015, 0, 1) / MINUTE, max: Date.UTC(2030, 0, 1) / MINUTE })
    .map((minute) => minute * MINUTE),
  fc
    .tuple(fc.constantFrom(...CHANGES), fc.integer({ min: -2880, max: 2880 }))
    .map(([change, minutes]) => change + minutes * MINUTE),
);

describe('calendar buckets', () => {
  it('hold an instant and no other period than its own, in every zone', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(BucketSize)),
        fc.constantFrom(...ZONES),
        instants,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (size, zone, instant, share) => {
          const buckets = new CalendarBuckets(size, zone);
          const start = buckets.startOf(instant);
          const end = buckets.endOf(start);
          expect(start).toBeLessThanOrEqual(instant);
          expect(end).toBeGreaterThan(instant);
          const key = keyOf(size, zone, instant);
          const within = start + Math.floor((share * (end - start)) / MINUTE) * MINUTE;
          expect(keyOf(size, zone, Math.min(within, end - MINUTE))).toBe(key);
          expect(keyOf(size, zone, start)).toBe(key);
          expect(keyOf(size, zone, start - 1)).not.toBe(key);
          expect(keyOf(size, zone, end)).not.toBe(key);
          expect(buckets.startOf(end)).toBe(end);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['Europe/Berlin', '2026-03-28T12:00Z', [24, 23, 24]],
    ['Europe/Berlin', '2026-10-24T12:00Z', [24, 25, 24]],
    ['America/New_York', '2026-03-07T12:00Z', [24, 23, 24]],
    ['America/New_York', '2026-10-31T12:00Z', [24, 25, 24]],
    ['Australia/Lord_Howe', '2026-10-02T14:00Z', [24, 23.5, 24]],
    ['Australia/Lord_Howe', '2026-04-03T14:00Z', [24, 24.5, 24]],
    // The clock skips midnight, and here a whole date.
    ['Africa/Cairo', '2026-04-22T23:00Z', [24, 23, 24]],
    ['Pacific/Apia', '2011-12-28T12:00Z', [24, 24, 24]],
  ])('give the days of %s from %s their hours', (zone, from, hours) => {
    const starts = bucketsFrom(BucketSize.DAY, zone, from, new Date(Date.parse(from) + 72 * HOUR).toISOString());
    expect(lengths(starts).slice(0, 3)).toEqual(hours);
  });

  it('make two hours of a repeated one, and halves of the hours that Lord Howe cuts', () => {
    const berlin = bucketsFrom(BucketSize.HOUR, 'Europe/Berlin', '2026-10-24T22:00Z', '2026-10-25T23:00Z');
    expect(berlin).toHaveLength(26);
    const back = bucketsFrom(BucketSize.HOUR, 'Australia/Lord_Howe', '2026-04-04T14:00Z', '2026-04-04T16:30Z');
    expect(lengths(back)).toEqual([1, 0.5, 1]);
    const forward = bucketsFrom(BucketSize.HOUR, 'Australia/Lord_Howe', '2026-10-03T14:30Z', '2026-10-03T17:00Z');
    expect(lengths(forward)).toEqual([1, 0.5, 1]);
  });

  it('refuse a zone that is none', () => {
    expect(() => new CalendarBuckets(BucketSize.DAY, 'Europe/Atlantis')).toThrow(RangeError);
  });
});
