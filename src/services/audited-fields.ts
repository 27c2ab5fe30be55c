import { isDeepStrictEqual } from 'node:util';
import { Collection, ReferenceKind, type EntityMetadata } from '@mikro-orm/core';
import { HIDDEN } from '../domain/secrets.js';

/** What every change changes, or none can. */
const LEFT_OUT: ReadonlySet<string> = new Set(['id', 'organization', 'createdAt', 'updatedAt', 'version']);

export type Fields = Readonly<Record<string, unknown>>;

/**
 * What an audit entry tells of a row: its fields, what it refers to as ids, and lists that are loaded. Of sealed columns
 * only that they were written.
 */
export function auditedFields(row: object, { props }: Pick<EntityMetadata, 'props'>): Fields {
  const fields: Record<string, unknown> = {};
  for (const { name, kind, hidden } of props) {
    const value = (row as Record<string, unknown>)[name];
    // Not loaded.
    if (LEFT_OUT.has(name) || value === undefined) continue;
    if (value instanceof Collection) {
      if (value.isInitialized()) fields[name] = value.getIdentifiers<string>().sort();
    } else if (hidden) fields[name] = value === null ? null : HIDDEN;
    else if (kind === ReferenceKind.MANY_TO_ONE) fields[name] = (value as { id: string } | null)?.id ?? null;
    else fields[name] = value;
  }
  return fields;
}

/** The fields that differ, as they were and as they are. */
export function changedFields(before: Fields, after: Fields): { before: Fields; after: Fields } {
  // Sealed anew it looks as before.
  const changed = Object.keys(after).filter(
    (name) => after[name] === HIDDEN || !isDeepStrictEqual(before[name], after[name]),
  );
  const pick = (fields: Fields) =>
    Object.fromEntries(changed.filter((name) => name in fields).map((name) => [name, fields[name]]));
  return { before: pick(before), after: pick(after) };
}
