import DataLoader from 'dataloader';
import { retryRead } from '../db/retry-read.js';
import type { TaskRunState } from '../domain/enums.js';
import type { Services } from '../services/index.js';
import type { InstallationParent } from '../services/installations.js';
import type { PageRequest } from '../services/page.js';
import type { RelationName } from '../services/relations.js';
import { requirePeriod, TaskRunSummary, type ErrorCount, type Period } from '../services/task-run-summaries.js';
import type { TaskRunSelection } from '../services/task-run-selection.js';
import type { RunParent } from '../services/task-runs.js';

/** Keys in one statement; more are split. */
const MAX_BATCH = 1000;

type Key = string | number;
/** Finds what belongs to each key; keys without are left out. */
type Find<K extends Key, V> = (keys: readonly K[]) => Promise<ReadonlyMap<K, V>>;
interface Row {
  readonly id: string;
}
interface ReadingOfMeter {
  readonly meterDeviceId: string;
  readonly metersTogether?: readonly string[];
}

/**
 * What relations are resolved from, for one operation: each key is loaded once, and all keys that are asked for together
 * in one statement, so that a page of rows costs as many statements as a single row.
 */
export function createLoaders(services: Services, organizationId: string) {
  const { relations, registers, taskRuns, taskRunSummaries, meterDevices, networkInterfaces, segments } = services;
  const { installations, meteringPoints } = services;
  const caches: { clearAll(): unknown }[] = [];

  const loader = <K extends Key, V, Absent>(find: Find<K, V>, absent: Absent): DataLoader<K, V | Absent> => {
    const created = new DataLoader<K, V | Absent>(
      async (keys) => {
        // A live stream must not end, nor show a hole, because a connection was lost while an event was resolved.
        const found = await retryRead(() => find(keys));
        return keys.map((key) => found.get(key) ?? absent);
      },
      { maxBatchSize: MAX_BATCH },
    );
    caches.push(created);
    return created;
  };
  const flags = (find: (ids: readonly string[]) => Promise<ReadonlySet<string>>) =>
    loader<string, true, false>(async (ids) => new Map([...(await find(ids))].map((id) => [id, true])), false);

  const node = <T extends Row>(service: { byIds(organizationId: string, ids: readonly string[]): Promise<T[]> }) => {
    const rows = loader<string, T, null>(
      async (ids) => new Map((await service.byIds(organizationId, ids)).map((row) => [row.id, row])),
      null,
    );
    return { load: (id: string) => rows.load(id.toLowerCase()) };
  };
  const nodes = {
    AmrTask: node(services.amrTasks),
    AmrTaskGroup: node(services.amrTaskGroups),
    DeadLetter: node(services.deadLetters),
    Installation: node(installations),
    MeterDevice: node(meterDevices),
    MeteringPoint: node(meteringPoints),
    NetworkInterface: node(networkInterfaces),
    Segment: node(segments),
    Series: node(services.series),
    TaskRun: node(taskRuns),
  };

  const together = new WeakSet<object>();
  /** The readings of a batch come one by one: with the first one's meter those of all are asked for, in one statement. */
  const meterOfReading = ({ meterDeviceId, metersTogether }: ReadingOfMeter) => {
    if (metersTogether && !together.has(metersTogether)) {
      together.add(metersTogether);
      for (const id of metersTogether) nodes.MeterDevice.load(id).catch(() => undefined); // its own reading tells
    }
    return nodes.MeterDevice.load(meterDeviceId);
  };

  const related = <T extends Row>(relation: RelationName, target: { load(id: string): Promise<T | null> }) =>
    loader<string, T[], T[]>(async (ids) => rowsOf(await relations.idsOf(relation, ids), (id) => target.load(id)), []);

  const runsOf = (parent: RunParent) =>
    perArguments((request: PageRequest, selection: TaskRunSelection) => {
      const counts = loader((ids: readonly string[]) => taskRuns.countsOf(parent, organizationId, ids, selection), 0);
      return loader(
        (ids: readonly string[]) =>
          taskRuns.pagesOf(parent, organizationId, ids, request, selection, (id) => counts.load(id)),
        null,
      );
    });

  const installationsOf = (parent: InstallationParent) =>
    perArguments((request: PageRequest) => {
      const counts = loader((ids: readonly string[]) => installations.countsOf(parent, ids), 0);
      return loader(
        (ids: readonly string[]) =>
          installations.pagesOf(parent, organizationId, ids, request, (id) => counts.load(id)),
        null,
      );
    });

  const currentOf = <T extends Row>(parent: InstallationParent, target: { load(id: string): Promise<T | null> }) =>
    loader<string, T[], T[]>(
      async (ids) => rowsOf(await installations.current(parent, ids), (id) => target.load(id)),
      [],
    );

  const summariesOf = perArguments((by: 'amrTask' | 'amrTaskGroup', period: Period) => ({
    counts: loader(
      (ids: readonly string[]) => taskRunSummaries.counts(organizationId, { by, ids }, period),
      new Map<TaskRunState, number>(),
    ),
    errors: loader(
      (ids: readonly string[]) => taskRunSummaries.errors(organizationId, { by, ids }, period),
      [] as ErrorCount[],
    ),
  }));

  return {
    nodes,
    meterOfReading,
    groupsOfTask: related('groupsOfTask', nodes.AmrTaskGroup),
    tasksOfGroup: related('tasksOfGroup', nodes.AmrTask),
    groupsOfMeter: related('groupsOfMeter', nodes.AmrTaskGroup),
    tasksOfMeter: related('tasksOfMeter', nodes.AmrTask),
    runsOfMeter: runsOf('meterDevice'),
    runsOfTask: runsOf('amrTask'),
    runSummary: async (by: 'amrTask' | 'amrTaskGroup', { from, to }: Period, id: string) => {
      requirePeriod({ from, to });
      const { counts, errors } = summariesOf(by, { from, to });
      return new TaskRunSummary(await counts.load(id), () => errors.load(id));
    },
    metersOfGroup: perArguments((request: PageRequest) => {
      const counts = loader((ids: readonly string[]) => meterDevices.countsOfGroups(ids), 0);
      return loader(
        (ids: readonly string[]) => meterDevices.pagesOfGroups(organizationId, ids, request, (id) => counts.load(id)),
        null,
      );
    }),
    installationsOfMeter: installationsOf('meterDevice'),
    installationsOfPoint: installationsOf('meteringPoint'),
    pointsOfMeter: currentOf('meterDevice', nodes.MeteringPoint),
    metersOfPoint: currentOf('meteringPoint', nodes.MeterDevice),
    registersOfMeter: loader((ids: readonly string[]) => registers.ofMeters(organizationId, ids), []),
    lastReadingAtOfMeter: loader((ids: readonly string[]) => registers.lastReadingAt(ids), null),
    spanOfRegister: loader((ids: readonly number[]) => registers.spans(ids), null),
    hasCredentials: flags((ids) => meterDevices.withCredentials(ids)),
    holdOfInterface: loader((ids: readonly string[]) => networkInterfaces.holds(ids), null),
    isBusy: flags((ids) => networkInterfaces.busy(ids)),
    bodyOfDeadLetter: loader((ids: readonly string[]) => services.deadLetters.bodies(organizationId, ids), null),
    openSessions: loader((ids: readonly string[]) => segments.openSessions(ids), 0),
    /** Forgets everything: the mutations of one operation run one after another, and each is to see what the last one did. */
    clear: () => caches.forEach((cache) => cache.clearAll()),
  };
}
export type Loaders = ReturnType<typeof createLoaders>;

/** The rows of each list of ids, in its order; those that are gone are left out. */
async function rowsOf<T>(
  idsOf: ReadonlyMap<string, readonly string[]>,
  load: (id: string) => Promise<T | null>,
): Promise<Map<string, T[]>> {
  const entries = [...idsOf].map(async ([id, others]): Promise<[string, T[]]> => {
    const rows = await Promise.all(others.map(load));
    return [id, rows.filter((row) => row !== null)];
  });
  return new Map(await Promise.all(entries));
}

/** One loader for each distinct set of arguments: the parents in one list all ask with the same. */
function perArguments<A extends unknown[], L>(create: (...args: A) => L): (...args: A) => L {
  const loaders = new Map<string, L>();
  return (...args) => {
    const key = JSON.stringify(args);
    let existing = loaders.get(key);
    if (!existing) loaders.set(key, (existing = create(...args)));
    return existing;
  };
}
