import { createHash } from 'node:crypto';
import { FINAL_RUN_STATES, isUnsuccessful, type RunOrigin, type TaskRunState } from '../domain/enums.js';
import type { TaskRunSelection } from '../services/task-run-selection.js';
import { Bell } from './bell.js';
import { CAME_WITH } from './event-groups.js';
import { droppedRunUpdates } from './live-metrics.js';

/** What a subscriber of runs wants to see; all given conditions must hold. Those that a run alone does not tell are refused before. */
export type RunFilterInput = Omit<TaskRunSelection, 'amrTaskGroup' | 'networkInterface' | 'segment'>;

/** A run as it is stored; what is delivered is the whole row. */
export interface RunRow {
  readonly id: string;
  readonly meterDeviceId: string;
  readonly amrTaskId: string | null;
  readonly state: TaskRunState;
  readonly origin: RunOrigin;
  readonly scheduledFor: Date;
  readonly errorCode: string | null;
  readonly meterExecutionType: string;
  readonly taskCall: string;
  readonly finishedAt: Date | null;
  /** On an event: the rows it was loaded with. */
  readonly [CAME_WITH]?: object;
}

/** Reads the rows of these runs, in any order; ids that do not exist are left out. */
export type LoadRuns = (organizationId: string, ids: readonly string[]) => Promise<RunRow[]>;

/** Ids a slow subscriber may have waiting, and runs whose last sight is remembered. The oldest leave first. */
const MAX_IDS = 10_000;
/** Runs loaded by one query. */
const LOAD_CHUNK = 500;

/** One subscriber's runs that changed and are not shown yet. A run that changes twice meanwhile is shown once, as it is then. */
export class RunInbox {
  readonly #pending = new Set<string>();
  readonly #shown = new Map<string, { look: string; final: boolean }>();
  readonly #filled = new Bell();

  constructor(readonly organizationId: string) {}

  add(ids: readonly string[]): void {
    for (const id of ids) {
      this.#pending.add(id);
      if (this.#pending.size > MAX_IDS) {
        this.#pending.delete(oldest(this.#pending));
        droppedRunUpdates.inc();
      }
    }
    if (ids.length > 0) this.#filled.ring();
  }

  /** Looks again at every run that was shown and can still change: news of it may have been missed. */
  recheck(): void {
    this.add([...this.#shown].filter(([, { final }]) => !final).map(([id]) => id));
  }

  /** The next ids to load, at least one, oldest news first; none only when `signal` aborted. */
  async take(signal: AbortSignal): Promise<string[]> {
    while (this.#pending.size === 0 && !signal.aborted) await this.#filled.wait(signal);
    const ids = [...this.#pending].slice(0, LOAD_CHUNK);
    for (const id of ids) this.#pending.delete(id);
    return ids;
  }

  /** Whether the run looks other than when it was last shown; remembers the look. */
  isNews(run: RunRow): boolean {
    const look = createHash('sha1').update(JSON.stringify(run)).digest('base64'); // the text of 10,000 runs would be 10 MB
    if (this.#shown.get(run.id)?.look === look) return false;
    this.#shown.delete(run.id);
    this.#shown.set(run.id, { look, final: FINAL_RUN_STATES.has(run.state) });
    if (this.#shown.size > MAX_IDS) this.#shown.delete(oldest(this.#shown));
    return true;
  }
}

/**
 * Each run that changes and matches, until the signal aborts. A failed load is tried again: its ids stay pending.
 * @param retry waits before a failed load is tried again
 */
export async function* streamRuns(
  inbox: RunInbox,
  filter: RunFilterInput,
  load: LoadRuns,
  retry: (error: unknown, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<RunRow, void, void> {
  while (!signal.aborted) {
    const ids = await inbox.take(signal);
    if (ids.length === 0) return;
    let runs: RunRow[];
    try {
      runs = await load(inbox.organizationId, ids);
    } catch (error) {
      inbox.add(ids);
      await retry(error, signal);
      continue;
    }
    for (const run of runs) if (matchesRun(filter, run) && inbox.isNews(run)) yield { ...run, [CAME_WITH]: runs };
  }
}

export function matchesRun(filter: RunFilterInput, run: RunRow): boolean {
  return (
    isAmong(filter.ids, run.id) &&
    isAmong(filter.meterDevices, run.meterDeviceId) &&
    isAmong(filter.amrTasks, run.amrTaskId) &&
    (filter.meterDevice == null || run.meterDeviceId === filter.meterDevice.toLowerCase()) &&
    (filter.amrTask == null || run.amrTaskId === filter.amrTask.toLowerCase()) &&
    (filter.states == null || filter.states.includes(run.state)) &&
    (filter.origin == null || run.origin === filter.origin) &&
    (filter.errorCode == null || (isUnsuccessful(run.state) && run.errorCode === filter.errorCode)) &&
    (filter.errorCodes == null ||
      (isUnsuccessful(run.state) && run.errorCode !== null && filter.errorCodes.includes(run.errorCode))) &&
    (filter.meterExecutionType == null || run.meterExecutionType === filter.meterExecutionType) &&
    (filter.taskCall == null || run.taskCall === filter.taskCall) &&
    (filter.finishedFrom == null || (run.finishedAt !== null && run.finishedAt >= filter.finishedFrom)) &&
    (filter.finishedTo == null || (run.finishedAt !== null && run.finishedAt < filter.finishedTo)) &&
    (filter.from == null || run.scheduledFor >= filter.from) &&
    (filter.to == null || run.scheduledFor < filter.to)
  );
}

function isAmong(ids: readonly string[] | null | undefined, id: string | null): boolean {
  return ids == null || (id !== null && ids.some((each) => each.toLowerCase() === id));
}

/** First in insertion order. */
function oldest(ids: Set<string> | Map<string, unknown>): string {
  return ids.keys().next().value!;
}
