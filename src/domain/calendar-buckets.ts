import { instantsOf, zoneOffset, type ZoneOffset } from './zone-offset.js';

/** Calendar periods that readings are gathered by. */
export enum BucketSize {
  QUARTER_HOUR = 'quarter_hour',
  HOUR = 'hour',
  DAY = 'day',
  WEEK = 'week',
  MONTH = 'month',
  YEAR = 'year',
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * Buckets of one size by the clock of a zone. Days have the hours that the clock gave them (23, 24 or 25; half hours on Lord
 * Howe), weeks begin on Monday. Hours and quarter-hours also end where the clock was changed: a repeated hour is two buckets.
 * Instants are milliseconds since the epoch.
 */
export class CalendarBuckets {
  private readonly offsetAt: ZoneOffset;

  /** Throws `RangeError` when `zone` is not an IANA zone. */
  constructor(
    private readonly size: BucketSize,
    zone: string,
  ) {
    this.offsetAt = keptOffset(zone);
  }

  /** Where the bucket that holds `instant` begins. */
  startOf(instant: number): number {
    const step = clockStep(this.size);
    if (step === undefined) {
      // A day that ends by setting the clock back over midnight is entered twice: its first beginning counts.
      const date = this.dateOf(instant);
      const start = this.startOfDate(date);
      return start <= instant ? start : this.startOfDate(previousDate(this.size, date));
    }
    const wall = instant + this.offsetAt(instant);
    const start = Math.floor(wall / step) * step - this.offsetAt(instant);
    return this.offsetAt(start) === this.offsetAt(instant) ? start : this.changeIn(start, instant);
  }

  /** Where the bucket that begins at `start` ends and the next begins. */
  endOf(start: number): number {
    const step = clockStep(this.size);
    if (step === undefined) {
      let date = nextDate(this.size, this.dateOf(start));
      // A date that a zone left out (Samoa, 30 December 2011) would make a bucket without time.
      while (this.startOfDate(date) <= start) date = nextDate(this.size, date);
      return this.startOfDate(date);
    }
    const offset = this.offsetAt(start);
    const end = (Math.floor((start + offset) / step) + 1) * step - offset;
    return this.offsetAt(end - 1) === offset ? end : this.changeIn(start, end - 1);
  }

  /** The first of the period's local dates, as if it were a date of UTC. */
  private dateOf(instant: number): Date {
    const wall = new Date(instant + this.offsetAt(instant));
    const [year, month, day] = [wall.getUTCFullYear(), wall.getUTCMonth(), wall.getUTCDate()];
    switch (this.size) {
      case BucketSize.YEAR:
        return new Date(Date.UTC(year, 0, 1));
      case BucketSize.MONTH:
        return new Date(Date.UTC(year, month, 1));
      case BucketSize.WEEK:
        return new Date(Date.UTC(year, month, day - ((wall.getUTCDay() + 6) % 7)));
      default:
        return new Date(Date.UTC(year, month, day));
    }
  }

  /** The first instant of a local date; where the clock skipped midnight, the instant it was set forward. */
  private startOfDate(date: Date): number {
    const wall = date.getTime();
    const [midnight] = instantsOf(this.offsetAt, wall);
    if (midnight !== undefined) return midnight;
    const before = wall - DAY_MS - this.offsetAt(wall - DAY_MS);
    const after = wall + DAY_MS - this.offsetAt(wall + DAY_MS);
    return firstInstant(before, after, (instant) => instant + this.offsetAt(instant) >= wall);
  }

  /** When between two instants of different offset the clock was changed. */
  private changeIn(before: number, after: number): number {
    const offset = this.offsetAt(before);
    return firstInstant(before, after, (instant) => this.offsetAt(instant) !== offset);
  }
}

/** Zones whose offsets are kept; the days asked for before cost nothing then. */
const MAX_ZONES_KEPT = 50;
const zones = new Map<string, ZoneOffset>();

function keptOffset(zone: string): ZoneOffset {
  let offset = zones.get(zone);
  if (!offset) {
    offset = zoneOffset(zone);
    if (zones.size >= MAX_ZONES_KEPT) zones.clear();
    zones.set(zone, offset);
  }
  return offset;
}

function clockStep(size: BucketSize): number | undefined {
  return size === BucketSize.QUARTER_HOUR ? 15 * MINUTE_MS : size === BucketSize.HOUR ? HOUR_MS : undefined;
}

function nextDate(size: BucketSize, date: Date, by = 1): Date {
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  if (size === BucketSize.YEAR) return new Date(Date.UTC(year + by, 0, 1));
  if (size === BucketSize.MONTH) return new Date(Date.UTC(year, month + by, 1));
  return new Date(Date.UTC(year, month, day + by * (size === BucketSize.WEEK ? 7 : 1)));
}

function previousDate(size: BucketSize, date: Date): Date {
  return nextDate(size, date, -1);
}

/** The first instant in (`before`, `after`] from which on `is` holds; it holds at `after`. */
function firstInstant(before: number, after: number, is: (instant: number) => boolean): number {
  let [low, high] = [before, after];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (is(middle)) high = middle;
    else low = middle;
  }
  return high;
}
