import { InputError } from '../errors.js';

/** What is in the way of deleting a row. */
export interface Uses {
  /** What no force removes, and what to do instead; undefined where there is none. */
  readonly never?: string;
  /** What refers to it, each with its consequence: `3 meters, which would no longer be polled`. */
  readonly links: readonly string[];
  /** What to do other than to delete it by force. */
  readonly cure?: string;
}

/** `3 meters, which…` for a count above 0; nothing for 0. */
export function use(count: number, [one, many]: readonly [string, string], consequence: string): string[] {
  return count === 0 ? [] : [`${count} ${count === 1 ? one : many}, ${consequence}`];
}

/** Throws `CONFLICT` that says what would break and the cure, unless nothing would, or force is allowed and given. */
export function requireUnused(name: string, { never, links, cure }: Uses, force: boolean): void {
  if (never !== undefined) throw new InputError('CONFLICT', `${name} ${never}`, 'input.id');
  if (links.length === 0 || force) return;
  throw new InputError(
    'CONFLICT',
    `${name} is in use: ${links.join('; ')}. ${cure === undefined ? 'Delete it' : `${cure}, or delete it`} with force: true, which removes these links.`,
    'input.id',
  );
}
