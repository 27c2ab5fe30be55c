import { zoneOffset } from '../../domain/zone-offset.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Maps a device's wall clock to instants. All values are milliseconds; `wallMs` as `parseMeterTime` returns it. */
export class MeterZone {
  /**
   * `offsetMsAt` is wall clock minus UTC at an instant. `standardMs` is the offset without summer time of a device that
   * switches, so that rows which say which of the two holds can be believed.
   */
  constructor(
    private readonly offsetMsAt: (instantMs: number) => number,
    private readonly standardMs?: number,
  ) {}

  /** Whether the device switches to summer time, by its own word. */
  get switches(): boolean {
    return this.standardMs !== undefined;
  }

  toWall(instantMs: number): number {
    return instantMs + this.offsetMsAt(instantMs);
  }

  /**
   * The instants at which the clock shows `wallMs`, earliest first: two in the repeated hour of autumn, else one. A time
   * in the hour that spring skips is read as standard time.
   */
  instantsOf(wallMs: number): [number, ...number[]] {
    const offsets = [this.offsetMsAt(wallMs - DAY_MS), this.offsetMsAt(wallMs + DAY_MS)];
    const instants = [...new Set(offsets)]
      .filter((offset) => this.offsetMsAt(wallMs - offset) === offset)
      .map((offset) => wallMs - offset)
      .sort((a, b) => a - b);
    const [first = wallMs - Math.min(...offsets), ...others] = instants;
    return [first, ...others];
  }

  /** The instant of `wallMs` closest to `nearMs`: for the running clock, whose deviation is far below an hour. */
  nearest(wallMs: number, nearMs: number): number {
    return this.instantsOf(wallMs).reduce((best, at) => (Math.abs(at - nearMs) < Math.abs(best - nearMs) ? at : best));
  }

  /**
   * The instant of an archive row. `isSummer` is the row's own word for it, when it has one; else a time that occurs
   * twice is taken as the first occurrence that is later than the row before: rows come in the order they were written.
   */
  ofRow(wallMs: number, previousMs: number, isSummer?: boolean): number {
    if (isSummer !== undefined && this.standardMs !== undefined) {
      return wallMs - this.standardMs - (isSummer ? HOUR_MS : 0);
    }
    const instants = this.instantsOf(wallMs);
    return instants.find((at) => at > previousMs) ?? instants.at(-1)!;
  }

  /** Whether the offset changes within an hour of `instantMs`: the wall clock may then show a time twice. */
  changesNear(instantMs: number): boolean {
    return this.offsetMsAt(instantMs - HOUR_MS) !== this.offsetMsAt(instantMs + HOUR_MS);
  }
}

/** Summer time of a device, object 1:407: none, the rule of the European Union, or times set by hand once a year. */
export type SummerTime =
  { mode: 'none' } | { mode: 'automatic' } | { mode: 'fixed'; startWallMs: number; endWallMs: number };

/**
 * The zone of a device that tells its UTC offset (object 1:40F, minutes, taken to be standard time). The automatic rule
 * begins on the last Sunday of March at 02:00 standard time and ends on the last Sunday of October at 03:00 summer
 * time. The fixed times are wall-clock times: the start in standard time, the end in summer time.
 */
export function deviceZone(offsetMinutes: number, summerTime: SummerTime): MeterZone {
  const standardMs = offsetMinutes * MINUTE_MS;
  if (summerTime.mode === 'none') return new MeterZone(() => standardMs);
  const isSummer = (standardWallMs: number): boolean => {
    const { startWallMs, endWallMs } = summerTime.mode === 'fixed' ? summerTime : europeanSummer(standardWallMs);
    return standardWallMs >= startWallMs && standardWallMs < endWallMs - HOUR_MS;
  };
  return new MeterZone((at) => standardMs + (isSummer(at + standardMs) ? HOUR_MS : 0), standardMs);
}

function europeanSummer(wallMs: number): { startWallMs: number; endWallMs: number } {
  const year = new Date(wallMs).getUTCFullYear();
  return { startWallMs: lastSunday(year, 3) + 2 * HOUR_MS, endWallMs: lastSunday(year, 10) + 3 * HOUR_MS };
}

/** Midnight of the last Sunday of a month with 31 days. */
function lastSunday(year: number, month: number): number {
  const last = new Date(Date.UTC(year, month - 1, 31));
  return last.getTime() - last.getUTCDay() * DAY_MS;
}

/** The zone of a device that does not tell its offset. Throws `RangeError` for a name that is not an IANA zone. */
export function namedZone(name: string): MeterZone {
  return new MeterZone(zoneOffset(name));
}
