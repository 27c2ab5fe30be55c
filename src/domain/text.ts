/**
 * `text` as PostgreSQL text and a terminal can hold it: control characters and halves of surrogate pairs, which a meter or a
 * stranger may send, become U+FFFD.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Surrogate}]/gu, '\uFFFD');
}

/** Whether `printable` would leave `text` as it is. */
export function isPrintable(text: string): boolean {
  // Nearly every name is plain ASCII, and that is cheap to see.
  return /^[\x20-\x7e]*$/.test(text) || !/[\p{Cc}\p{Surrogate}]/u.test(text);
}

/** A JSON value with every text in it made printable, keys too. */
export function printableJson<T>(value: T): T {
  if (typeof value === 'string') return printable(value) as T;
  if (Array.isArray(value)) return value.map(printableJson) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [printable(key), printableJson(item)])) as T;
}
