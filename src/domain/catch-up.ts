import { CatchUpPolicy } from './enums.js';

/** A slot whose runs could begin less than this ago was not missed: the scheduler looks every second. */
export const ON_TIME_MS = 60_000;

/**
 * Which of the due slots of a task run, and which are left out after downtime. `due` is oldest first.
 * The newest slot runs under every policy while it is on time.
 */
export function chooseSlots(
  policy: CatchUpPolicy,
  due: readonly Date[],
  now: Date,
  offsetSeconds = 0,
): { run: Date[]; skip: Date[] } {
  const latest = due.at(-1);
  if (!latest) return { run: [], skip: [] };
  if (policy === CatchUpPolicy.ALL) return { run: [...due], skip: [] };
  const late = now.getTime() - latest.getTime() - offsetSeconds * 1000 >= ON_TIME_MS;
  if (policy === CatchUpPolicy.SKIP && late) return { run: [], skip: [...due] };
  return { run: [latest], skip: due.slice(0, -1) };
}

/**
 * Joins slots that one run can stand for, newest first, as many in each as `covers` allows. `slots` is oldest first, and so is
 * each of the parts that come back; the run of a part belongs to its last slot.
 * @param covers whether one run reads what runs at two slots so many seconds apart, and at all between them, would have
 */
export function mergeSlots(slots: readonly Date[], covers: (spanSeconds: number) => boolean): Date[][] {
  const parts: Date[][] = [];
  for (const slot of [...slots].reverse()) {
    const part = parts[0];
    if (part && covers(spanSeconds([slot, ...part]))) part.unshift(slot);
    else parts.unshift([slot]);
  }
  return parts;
}

/** Seconds from the first of `slots`, oldest first, to the last. */
export function spanSeconds(slots: readonly Date[]): number {
  const [first, last] = [slots[0], slots.at(-1)];
  return first && last ? (last.getTime() - first.getTime()) / 1000 : 0;
}
