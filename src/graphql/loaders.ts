import DataLoader from 'dataloader';
import { retryRead } from '../db/retry-read.js';
import type { Services } from '../services/index.js';
import type { PageRequest } from '../services/page.js';
import type { RelationName } from '../services/relations.js';
import type { RunParent, TaskRunSelection } from '../services/task-runs.js';

/** Keys in one statement; more are split. */
const MAX_BATCH = 1000;

type Key = string | number;
/** Finds what belongs to each key; keys without are left out. */
type Find<K extends Key, V> = (keys: readonly K[]) => Promise<ReadonlyMap<K, V>>;
interface Row {
  readonly id: string;
}

/**
 * What relations are resolved from, for one operation: each key is loaded once, and all keys that are asked for together
 * in one statement, so that a page of rows costs as many statements as a single row.
 */
export function createLoaders(services: Services, organizationId: string) {
  const { relations, registers, taskRuns, meterDevices, networkInterfaces, segments } = services;
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
    MeterDevice: node(meterDevices),
    NetworkInterface: node(networkInterfaces),
    Segment: node(segments),
    Series: node(services.series),
    TaskRun: node(taskRuns),
  };

  const related = <T extends Row>(relation: RelationName, target: { load(id: string): Promise<T | null> }) =>
    loader<string, T[], T[]>(async (ids) => {
      const idsOf = await relations.idsOf(relation, ids);
      const entries = [...idsOf].map(async ([id, others]): Promise<[string, T[]]> => {
        const rows = await Promise.all(others.map((other) => target.load(other)));
        return [id, rows.filter((row) => row !== null)];
      });
      return new Map(await Promise.all(entries));
    }, []);

  const runsOf = (parent: RunParent) =>
    perArguments((request: PageRequest, selection: TaskRunSelection) => {
      const counts = loader((ids: readonly string[]) => taskRuns.countsOf(parent, organizationId, ids, selection), 0);
      return loader(
        (ids: readonly string[]) =>
          taskRuns.pagesOf(parent, organizationId, ids, request, selection, (id) => counts.load(id)),
        null,
      );
    });

  return {
    nodes,
    groupsOfTask: related('groupsOfTask', nodes.AmrTaskGroup),
    tasksOfGroup: related('tasksOfGroup', nodes.AmrTask),
    groupsOfMeter: related('groupsOfMeter', nodes.AmrTaskGroup),
    tasksOfMeter: related('tasksOfMeter', nodes.AmrTask),
    runsOfMeter: runsOf('meterDevice'),
    runsOfTask: runsOf('amrTask'),
    metersOfGroup: perArguments((request: PageRequest) => {
      const counts = loader((ids: readonly string[]) => meterDevices.countsOfGroups(ids), 0);
      return loader(
        (ids: readonly string[]) => meterDevices.pagesOfGroups(organizationId, ids, request, (id) => counts.load(id)),
        null,
      );
    }),
    registersOfMeter: loader((ids: readonly string[]) => registers.ofMeters(organizationId, ids), []),
    lastReadingAtOfMeter: loader((ids: readonly string[]) => registers.lastReadingAt(ids), null),
    spanOfRegister: loader((ids: readonly number[]) => registers.spans(ids), null),
    hasCredentials: flags((ids) => meterDevices.withCredentials(ids)),
    isBusy: flags((ids) => networkInterfaces.busy(ids)),
    openSessions: loader((ids: readonly string[]) => segments.openSessions(ids), 0),
    /** Forgets everything: the mutations of one operation run one after another, and each is to see what the last one did. */
    clear: () => caches.forEach((cache) => cache.clearAll()),
  };
}
export type Loaders = ReturnType<typeof createLoaders>;

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
