import type { ImportedFields, ImportItem, ItemError } from './meter-import-items.js';
import { itemError } from './meter-import-items.js';

/** A meter that is there, as far as an import looks at it. */
export interface KnownMeter extends ImportedFields {
  readonly id: string;
  readonly networkInterface: string | null;
  /** Ids, in any order. */
  readonly taskGroups: readonly string[];
  readonly meterTasks: readonly string[];
}

/** Ids by what items call them: an id, which goes before a name that looks like one, or a name. */
export interface KnownLinks {
  readonly networkInterface: ReadonlyMap<string, string>;
  readonly taskGroups: ReadonlyMap<string, string>;
  readonly meterTasks: ReadonlyMap<string, string>;
}

/** A meter as it will be. Undefined links and credentials stay. */
export interface PlannedMeter {
  readonly index: number;
  readonly id: string;
  /** What it is now; undefined for one to create. */
  readonly before: KnownMeter | undefined;
  readonly fields: ImportedFields;
  readonly networkInterface: string | null;
  readonly taskGroups: readonly string[] | undefined;
  readonly meterTasks: readonly string[] | undefined;
  readonly credentials: Readonly<Record<string, string>> | null | undefined;
  /** Names of fields that differ from `before`; credentials that are given always do. */
  readonly changed: readonly string[];
}

const KINDS = { networkInterface: 'NetworkInterface', taskGroups: 'AmrTaskGroup', meterTasks: 'AmrTask' } as const;

/**
 * Finds the meter of each item, by its reference in the utility's system, else by name, and says what becomes of it; or why the item
 * cannot be. Pure: what is known was read, and locked, by the caller.
 */
export function planImport(
  items: readonly ImportItem[],
  meters: readonly KnownMeter[],
  links: KnownLinks,
  newId: () => string,
): { planned: PlannedMeter[]; errors: ItemError[] } {
  const byName = new Map(meters.map((meter) => [meter.name, meter]));
  const byReference = new Map<string, KnownMeter[]>();
  for (const meter of meters) {
    if (meter.externalReference === null) continue;
    const alike = byReference.get(meter.externalReference);
    if (alike) alike.push(meter);
    else byReference.set(meter.externalReference, [meter]);
  }
  const takenBy = new Map<string, number>();
  const planned: PlannedMeter[] = [];
  const errors: ItemError[] = [];
  for (const item of items) {
    const target = targetOf(item, byName, byReference);
    if (target !== undefined && 'code' in target) {
      errors.push(target);
      continue;
    }
    const first = target && takenBy.get(target.id);
    if (first !== undefined) {
      const problem = `is that of the meter that item ${first} of this call is about. Leave one of them out.`;
      errors.push(itemError(item.index, 'CONFLICT', 'name', problem));
      continue;
    }
    const plan = planItem(item, target, links, newId);
    if ('code' in plan) {
      errors.push(plan);
      continue;
    }
    if (target) takenBy.set(target.id, item.index);
    planned.push(plan);
  }
  return { planned, errors };
}

function targetOf(
  { index, given }: ImportItem,
  byName: ReadonlyMap<string, KnownMeter>,
  byReference: ReadonlyMap<string, readonly KnownMeter[]>,
): KnownMeter | ItemError | undefined {
  const { name, externalReference } = given;
  const called = byName.get(name);
  if (externalReference == null) return called;
  const alike = byReference.get(externalReference) ?? [];
  if (alike.length > 1) {
    const problem = `${JSON.stringify(externalReference)} is that of ${alike.length} meters. Correct them with updateMeterDevice first.`;
    return itemError(index, 'CONFLICT', 'externalReference', problem);
  }
  const referred = alike[0];
  if (referred) {
    if (called === undefined || called.id === referred.id) return referred;
    const problem = `${JSON.stringify(name)} is that of another meter than the one with externalReference ${JSON.stringify(externalReference)}. Choose another name.`;
    return itemError(index, 'CONFLICT', 'name', problem);
  }
  if (called?.externalReference != null) {
    const problem = `differs from ${JSON.stringify(called.externalReference)}, which the meter named ${JSON.stringify(name)} has. Change that with updateMeterDevice, or choose another name.`;
    return itemError(index, 'CONFLICT', 'externalReference', problem);
  }
  return called;
}

function planItem(
  { index, given, whole, links: wanted }: ImportItem,
  before: KnownMeter | undefined,
  known: KnownLinks,
  newId: () => string,
): PlannedMeter | ItemError {
  const found = { networkInterface: undefined, taskGroups: undefined, meterTasks: undefined } as Record<
    keyof typeof KINDS,
    string[] | undefined
  >;
  for (const kind of Object.keys(KINDS) as (keyof typeof KINDS)[]) {
    const value = wanted[kind];
    if (value == null) continue;
    const ids = new Set<string>();
    for (const [place, called] of (Array.isArray(value) ? value : [value]).entries()) {
      const id = known[kind].get(called.trim());
      if (id === undefined) {
        const field = Array.isArray(value) ? `${kind}.${place}` : kind;
        const problem = `is not the id or name of any ${KINDS[kind]}: ${JSON.stringify(called.slice(0, 150))}.`;
        return itemError(index, 'NOT_FOUND', field, problem);
      }
      ids.add(id);
    }
    found[kind] = [...ids];
  }
  const { networkInterface: link } = wanted;
  const fields: ImportedFields = before ? { ...pick(before, whole), ...given } : whole;
  const networkInterface =
    link === undefined ? (before?.networkInterface ?? null) : (found.networkInterface?.[0] ?? null);
  const { taskGroups, meterTasks } = found;
  const { credentials } = wanted;
  const changed = [
    ...(Object.keys(fields) as (keyof ImportedFields)[]).filter((field) => fields[field] !== before?.[field]),
    ...(networkInterface !== (before?.networkInterface ?? null) ? ['networkInterface'] : []),
    ...(taskGroups && !sameSet(taskGroups, before?.taskGroups ?? []) ? ['taskGroups'] : []),
    ...(meterTasks && !sameSet(meterTasks, before?.meterTasks ?? []) ? ['meterTasks'] : []),
    ...(credentials !== undefined ? ['credentials'] : []),
  ];
  const id = before?.id ?? newId();
  return { index, id, before, fields, networkInterface, taskGroups, meterTasks, credentials, changed };
}

/** The fields of `from` that `like` has. */
function pick(from: ImportedFields, like: ImportedFields): ImportedFields {
  const fields = Object.keys(like) as (keyof ImportedFields)[];
  return Object.fromEntries(fields.map((field) => [field, from[field]])) as unknown as ImportedFields;
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}
