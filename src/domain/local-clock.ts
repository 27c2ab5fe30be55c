import { instantsOf, zoneOffset, type ZoneOffset } from './zone-offset.js';

const DAY_MS = 24 * 60 * 60_000;

/** Why a local time has no instant: the clock skipped it, or the file has it more often than the clock showed it. */
export type LocalTimeProblem = 'skipped' | 'repeated';

/** What the rows of one register told so far. */
interface Track {
  lastWallMs: number;
  /** 1: times rise in the file; -1: they fall; 0: not known yet. */
  direction: number;
  /** How often each time of the repeated hour at hand has come. */
  seen: Map<number, number> | undefined;
}

/**
 * Turns local times into instants, in the order in which a file has them. A time that the clock showed twice is taken as
 * summer time when a register has it first and as winter time when it has it again; the other way round in a file whose
 * times fall. By register, since files have the repeated hour as a whole, or each of its times twice in a row.
 */
export class LocalClock {
  private readonly offsetAt: ZoneOffset;
  private readonly tracks = new Map<string, Track>();

  /** Throws `RangeError` when `zone` is not an IANA zone. */
  constructor(zone: string) {
    this.offsetAt = zoneOffset(zone);
  }

  /** Registers whose rows are followed; what bounds it is up to the caller. */
  get size(): number {
    return this.tracks.size;
  }

  /** @param wallMs milliseconds as if the clock showed UTC */
  instantOf(register: string, wallMs: number): number | LocalTimeProblem {
    const instants = instantsOf(this.offsetAt, wallMs);
    const track = this.trackOf(register, wallMs);
    if (instants.length === 1) {
      if (track.lastWallMs !== wallMs) track.direction = Math.sign(wallMs - track.lastWallMs);
      track.lastWallMs = wallMs;
      return instants[0]!;
    }
    if (instants.length === 0) return 'skipped';
    if (!track.seen || Math.abs(wallMs - [...track.seen.keys()][0]!) > DAY_MS) {
      track.seen = new Map();
      // The way into the hour tells the order also where it is the file's second row.
      if (track.lastWallMs !== wallMs) track.direction = Math.sign(wallMs - track.lastWallMs);
    }
    track.lastWallMs = wallMs;
    const occurrence = track.seen.get(wallMs) ?? 0;
    track.seen.set(wallMs, occurrence + 1);
    if (occurrence >= instants.length) return 'repeated';
    return instants[track.direction < 0 ? instants.length - 1 - occurrence : occurrence]!;
  }

  private trackOf(register: string, wallMs: number): Track {
    let track = this.tracks.get(register);
    if (!track) this.tracks.set(register, (track = { lastWallMs: wallMs, direction: 0, seen: undefined }));
    return track;
  }
}
