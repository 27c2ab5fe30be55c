import type { RunProgressFragment } from '../graphql/generated/graphql.js';

const ORDER: readonly string[] = ['PENDING', 'DISPATCHED', 'RUNNING'];
const FINAL: ReadonlySet<string> = new Set(['SUCCEEDED', 'FAILED', 'EXPIRED', 'CANCELLED']);

/** Whether the run has ended and everything it read was stored or otherwise settled. */
export function isSettled(run: RunProgressFragment): boolean {
  return isFinal(run) && (run.state !== 'SUCCEEDED' || settledCount(run) >= run.readingCount);
}

export function isFinal(run: RunProgressFragment): boolean {
  return FINAL.has(run.state);
}

/**
 * Whether `next` tells of a later moment than `last`. News comes by two ways, live and by looking, and may overtake.
 * A run that is tried again goes back to PENDING with a later `notBefore`.
 */
export function isLater(next: RunProgressFragment, last: RunProgressFragment | undefined): boolean {
  if (last === undefined) return true;
  if (isFinal(last)) return isFinal(next) && settledCount(next) > settledCount(last);
  const moment = (run: RunProgressFragment) => [Date.parse(run.notBefore), run.attempts, rank(run)] as const;
  const [a, b] = [moment(next), moment(last)];
  const differing = a.findIndex((part, index) => part !== b[index]);
  return isFinal(next) || (differing >= 0 && a[differing]! > b[differing]!);
}

/** One line of progress. */
export function progressLine(run: RunProgressFragment): string {
  const attempt = run.attempts > 1 ? ` (attempt ${run.attempts})` : '';
  switch (run.state) {
    case 'PENDING':
      return run.errorCode === null || run.errorCode === undefined
        ? 'PENDING'
        : `PENDING again, not before ${run.notBefore}: ${reason(run)}`;
    case 'SUCCEEDED':
      return `SUCCEEDED${attempt}: ${run.readingCount} ${run.readingCount === 1 ? 'reading' : 'readings'} read${outcome(run)}`;
    case 'FAILED':
    case 'EXPIRED':
    case 'CANCELLED':
      return `${run.state}${attempt}: ${reason(run)}`;
    default:
      return `${run.state}${attempt}`;
  }
}

export function reason(run: RunProgressFragment): string {
  return [run.errorCode, run.errorMessage].filter(Boolean).join(' ') || 'no reason is known';
}

function outcome(run: RunProgressFragment): string {
  const parts = [
    [run.storedCount, 'stored'],
    [run.duplicateCount, 'known already'],
    [run.revisedCount, 'revised'],
    [run.rejectedCount, 'rejected'],
  ] as const;
  return parts
    .filter(([count]) => count > 0)
    .map(([count, word]) => `, ${count} ${word}`)
    .join('');
}

function rank(run: RunProgressFragment): number {
  const index = ORDER.indexOf(run.state);
  return index < 0 ? ORDER.length : index;
}

function settledCount(run: RunProgressFragment): number {
  return run.storedCount + run.duplicateCount + run.revisedCount + run.rejectedCount;
}
