import { InputError } from '../errors.js';

/** Rows that the pages under all parents of one list may hold together. */
const MOST_ROWS = 50_000;

/** Throws `LIMIT_EXCEEDED` for pages under many parents that would hold more than is read at once. */
export function requireBoundedPages(parents: number, size: number): void {
  if (parents * size <= MOST_ROWS) return;
  throw new InputError(
    'LIMIT_EXCEEDED',
    `first: ${size} under each of ${parents} nodes is up to ${parents * size} nodes; ${MOST_ROWS} are allowed. Ask for a smaller first, here or in the list around it.`,
    'first',
  );
}
