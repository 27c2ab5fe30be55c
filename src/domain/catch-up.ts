import { CatchUpPolicy } from './enums.js';

/** A slot younger than this was not missed: the scheduler looks every second. */
const ON_TIME_MS = 60_000;

/**
 * Which of the due slots of a task run, and which are left out after downtime. `due` is oldest first.
 * The newest slot runs under every policy while it is on time.
 */
export function chooseSlots(policy: CatchUpPolicy, due: readonly Date[], now: Date): { run: Date[]; skip: Date[] } {
  const latest = due.at(-1);
  if (!latest) return { run: [], skip: [] };
  if (policy === CatchUpPolicy.ALL) return { run: [...due], skip: [] };
  const late = now.getTime() - latest.getTime() >= ON_TIME_MS;
  if (policy === CatchUpPolicy.SKIP && late) return { run: [], skip: [...due] };
  return { run: [latest], skip: due.slice(0, -1) };
}
