import { v5, v7 } from 'uuid';

/** A UUIDv7 stamped with `at` (milliseconds since the epoch, default now). Time-ordered, so index inserts stay at the end. */
export function uuidAt(at: number = Date.now()): string {
  return v7({ msecs: at });
}

/** The least UUIDv7 stamped with `at` (milliseconds since the epoch): those of one instant lie from it to that of the next. */
export function leastUuidAt(at: number): string {
  const hex = at.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

/** The instant a UUIDv7 carries, in milliseconds since the epoch; undefined for any other text. */
export function instantOfUuid(uuid: string): number | undefined {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(uuid)) return undefined;
  return parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
}

/** The UUIDv5 of `name` within the namespace of a UUID: the same for the same, elsewhere too. */
export function uuidOf(namespace: string, name: string): string {
  return v5(name, namespace);
}

/** Whether `text` is a UUID of any version. */
export function isUuid(text: string): boolean {
  return text.length === 36 && /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text);
}
