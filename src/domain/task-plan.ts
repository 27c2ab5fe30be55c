import { AmrSchedule } from './enums.js';
import { periodSeconds } from './schedule-limits.js';

/**
 * How long a slot of a task takes. Three things bound it from below, and the largest is taken: the pollers share all
 * sessions; an interface has one session at a time; a segment has its limits. Other tasks are not part of it.
 */

export interface SegmentLoad {
  /** Meters with a session in each slot that are reached through the segment. */
  readonly meters: number;
  readonly maxOpenSessions: number | null;
  readonly maxNewSessionsPerSecond: number | null;
}

export interface SlotLoad {
  /** Sessions of a slot: one for each meter. */
  readonly sessions: number;
  readonly secondsPerSession: number;
  /** Sessions that the pollers can hold open together. */
  readonly pollerCapacity: number;
  /** Meters on the interface that has most of them. */
  readonly metersOnLongestInterface: number;
  readonly segments: readonly SegmentLoad[];
}

/** Seconds from the first to the last session of a slot; Infinity when there is work and no poller. */
export function slotSeconds(load: SlotLoad): number {
  return Math.max(
    pollerSeconds(load),
    interfaceSeconds(load),
    ...load.segments.map((segment) => segmentSeconds(segment, load.secondsPerSession)),
  );
}

/** What the pollers need when nothing else holds them up. */
export function pollerSeconds({ sessions, secondsPerSession, pollerCapacity }: SlotLoad): number {
  return sessions === 0 ? 0 : (sessions * secondsPerSession) / pollerCapacity;
}

/** What the longest interface needs: its meters come one after another. */
export function interfaceSeconds({ metersOnLongestInterface, secondsPerSession }: SlotLoad): number {
  return metersOnLongestInterface * secondsPerSession;
}

/** What the limits of a segment make of its meters; 0 without limits. */
export function segmentSeconds(
  { meters, maxOpenSessions, maxNewSessionsPerSecond }: SegmentLoad,
  secondsPerSession: number,
): number {
  const byOpen = maxOpenSessions === null ? 0 : (meters * secondsPerSession) / maxOpenSessions;
  const byRate = maxNewSessionsPerSecond === null ? 0 : meters / maxNewSessionsPerSecond;
  return Math.max(byOpen, byRate);
}

/** Sessions that must be open together for `count` of them to end within `availableSeconds`. */
export function parallelSessionsNeeded(count: number, secondsPerSession: number, availableSeconds: number): number {
  return Math.ceil((count * secondsPerSession) / availableSeconds);
}

const BY_PERIOD = Object.values(AmrSchedule).sort((a, b) => periodSeconds(a) - periodSeconds(b));

/** The most frequent schedule whose slots are at least `seconds` apart; undefined when none is. */
export function scheduleThatHolds(seconds: number): AmrSchedule | undefined {
  return BY_PERIOD.find((schedule) => periodSeconds(schedule) >= seconds);
}
