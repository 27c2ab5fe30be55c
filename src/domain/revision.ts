import { RevisionPolicy } from './enums.js';

/** A value that was said for a key (register, measured_at). */
export interface Candidate {
  /** What the meter said, in canonical decimal text. */
  readonly value: string;
  /** Milliseconds since the epoch. */
  readonly collectedAt: number;
  /** UUID in lower case. */
  readonly messageId: string;
}

/** What is known of a key: the current value, and the others that were said. No value is in it twice. */
export interface KeyState<C extends Candidate> {
  readonly current: C;
  readonly others: readonly C[];
}

/** What became of a candidate. `isCurrent`: it is the current value now, and was not before. */
export interface Verdict {
  readonly outcome: 'stored' | 'duplicate' | 'revised';
  readonly isCurrent: boolean;
}

/**
 * Adds a candidate to what is known of its key. Which value is current depends on the set of candidates alone, never on the
 * order in which they come: the first or the latest by (collectedAt, messageId). So a repeat of the current value counts
 * as well, where it is earlier (or later) than the one that is kept.
 */
export function addCandidate<C extends Candidate>(
  known: KeyState<C> | undefined,
  candidate: C,
  policy: RevisionPolicy,
): { state: KeyState<C>; verdict: Verdict } {
  if (known === undefined) {
    return { state: { current: candidate, others: [] }, verdict: { outcome: 'stored', isCurrent: true } };
  }
  const { current, others } = known;
  const isAhead = precedes(candidate, current, policy);
  if (candidate.value === current.value) {
    const state = isAhead ? { current: candidate, others } : known;
    return { state, verdict: { outcome: 'duplicate', isCurrent: false } };
  }
  const same = others.find((other) => other.value === candidate.value);
  const outcome = same ? 'duplicate' : 'revised';
  const rest = same ? others.filter((other) => other !== same) : others;
  if (isAhead) {
    return { state: { current: candidate, others: [...rest, current] }, verdict: { outcome, isCurrent: true } };
  }
  return { state: same ? known : { current, others: [...rest, candidate] }, verdict: { outcome, isCurrent: false } };
}

/** Whether `a` is to be current rather than `b`. */
function precedes(a: Candidate, b: Candidate, policy: RevisionPolicy): boolean {
  const order = a.collectedAt - b.collectedAt || compare(a.messageId, b.messageId) || compare(a.value, b.value);
  return policy === RevisionPolicy.KEEP_FIRST ? order < 0 : order > 0;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
