import type { AmrSchedule } from '../domain/enums.js';
import {
  interfaceSeconds,
  parallelSessionsNeeded,
  pollerSeconds,
  scheduleThatHolds,
  segmentSeconds,
  type SegmentLoad,
  type SlotLoad,
} from '../domain/task-plan.js';

/** A slot's load with the names that its advice needs. */
export interface NamedLoad extends SlotLoad {
  readonly segments: readonly (SegmentLoad & { readonly name: string })[];
  readonly longestInterface: { readonly name: string; readonly meters: number } | undefined;
  /** What a slot may take. */
  readonly availableSeconds: number;
}

/** What to change so that a slot ends in time, one sentence for each thing that takes too long; none when nothing does. */
export function adviceFor(load: NamedLoad): string[] {
  const { sessions, secondsPerSession, pollerCapacity, availableSeconds, longestInterface } = load;
  if (sessions === 0) return ['No meter would be read: give the task groups or meters that can be reached.'];
  if (secondsPerSession > availableSeconds) {
    // More of anything would not help.
    return [
      `One session takes ${whole(secondsPerSession)} s and there are ${whole(availableSeconds)} s: ` +
        `${slower(scheduleThatHolds(secondsPerSession))}, or ask for less in one run.`,
    ];
  }
  const advice: string[] = [];
  if (pollerSeconds(load) > availableSeconds) {
    const needed = parallelSessionsNeeded(sessions, secondsPerSession, availableSeconds);
    const held = pollerCapacity === 0 ? 'no poller is seen' : `the pollers seen hold ${pollerCapacity}`;
    advice.push(
      `A slot needs ${needed} parallel sessions and ${held}: start pollers, or raise AMR_MAX_SESSIONS, ` +
        `for ${needed - pollerCapacity} more.`,
    );
  }
  for (const segment of load.segments) advice.push(...segmentAdvice(segment, load));
  const seconds = interfaceSeconds(load);
  if (longestInterface && seconds > availableSeconds) {
    const fit = Math.max(1, Math.floor(availableSeconds / secondsPerSession));
    const moved = longestInterface.meters - fit;
    advice.push(
      `The network interface ${JSON.stringify(longestInterface.name)} serves its ${longestInterface.meters} meters one after ` +
        `another, ${whole(seconds)} s of the ${whole(availableSeconds)} s there are: ` +
        (moved > 0 ? `spread ${moved} of them over other interfaces, or ` : '') +
        `${slower(scheduleThatHolds(seconds))}.`,
    );
  }
  return advice;
}

function segmentAdvice(
  segment: NamedLoad['segments'][number],
  { secondsPerSession, availableSeconds }: NamedLoad,
): string[] {
  const { name, meters, maxOpenSessions, maxNewSessionsPerSecond } = segment;
  const changes: string[] = [];
  const open = parallelSessionsNeeded(meters, secondsPerSession, availableSeconds);
  if (maxOpenSessions !== null && open > maxOpenSessions)
    changes.push(`raise its maxOpenSessions from ${maxOpenSessions} to ${open}`);
  const rate = Math.ceil(meters / availableSeconds);
  if (maxNewSessionsPerSecond !== null && rate > maxNewSessionsPerSecond)
    changes.push(`raise its maxNewSessionsPerSecond from ${maxNewSessionsPerSecond} to ${rate}`);
  if (changes.length === 0) return [];
  const seconds = segmentSeconds(segment, secondsPerSession);
  const parts = Math.ceil(seconds / availableSeconds);
  return [
    `The segment ${JSON.stringify(name)} needs ${whole(seconds)} s for its ${meters} meters, and there are ` +
      `${whole(availableSeconds)} s: ${changes.join(' and ')} if its network can take that, split it into ${parts} segments, ` +
      `or ${slower(scheduleThatHolds(seconds))}.`,
  ];
}

function slower(schedule: AmrSchedule | undefined): string {
  return schedule === undefined
    ? 'read fewer meters'
    : `choose a schedule and a deadline that leave more time (${schedule.toUpperCase()} does)`;
}

const whole = (seconds: number) => Math.ceil(seconds);
