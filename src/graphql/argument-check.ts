import { InputError } from '../errors.js';

/** Levels of lists and objects in one argument: far above what any input has, far below what exhausts a stack. */
const MAX_DEPTH = 32;
const TEXT_RULE = 'must not contain NUL or half of a surrogate pair';

/** Whether PostgreSQL can hold the text. */
const isStorable = (text: string): boolean => !text.includes('\0') && !/\p{Surrogate}/u.test(text);

/**
 * Refuses what no service could work with, in every argument of a field and before anything else reads it: text that
 * PostgreSQL cannot hold, and nesting that would exhaust the stack of recursive code (this has none).
 * @throws InputError `BAD_USER_INPUT` naming the place, such as `filter.series.0`
 */
export function checkArguments(args: Readonly<Record<string, unknown>>): void {
  const open = Object.entries(args).map(([name, value]) => ({ field: name, value, depth: 0 }));
  for (let place = open.pop(); place; place = open.pop()) {
    const { field, value, depth } = place;
    if (typeof value === 'string' && !isStorable(value)) throw refusal(field, TEXT_RULE);
    if (typeof value !== 'object' || value === null) continue;
    if (depth === MAX_DEPTH) throw refusal(topOf(field), `must be nested at most ${MAX_DEPTH} levels deep`);
    for (const [key, item] of Object.entries(value)) {
      if (!isStorable(key)) throw refusal(field, TEXT_RULE);
      // Harmless until something copies the object: then it would be no value but the kind of the copy.
      if (key === '__proto__') throw refusal(topOf(field), 'must not have the key __proto__');
      open.push({ field: `${field}.${key}`, value: item, depth: depth + 1 });
    }
  }
}

function refusal(field: string, message: string): InputError {
  return new InputError('BAD_USER_INPUT', `${field} ${message}.`, field);
}

/** The field of the input; what is nested in it has as many names as levels. */
function topOf(field: string): string {
  return field.split('.').slice(0, 2).join('.');
}
