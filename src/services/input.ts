import { z } from 'zod';
import { canonicalDecimal, isDecimal } from '../domain/decimal.js';
import { isPrintable } from '../domain/text.js';
import { isUuid } from '../domain/uuid.js';
import { InputError } from '../errors.js';

/** Fields of inputs. Each has one message, which says what is allowed: it is put behind the field's path. */

/** Most ids one list of an input may hold. */
const MAX_IDS = 1000;
const MAX_JSON_BYTES = 16_384;

export const text = (max: number) => {
  const error = `must be text of at most ${max} characters without control characters`;
  return z.string({ error }).max(max, { error }).refine(isPrintable, { error });
};

const nameRule = 'must be 1 to 150 characters without control characters';
export const name = z
  .string({ error: nameRule })
  .trim()
  .min(1, { error: nameRule })
  .max(150, { error: nameRule })
  .refine(isPrintable, { error: nameRule });

/** Free text of several lines. */
export const description = z.string({ error: 'must be text' }).max(2000, { error: 'must be at most 2000 characters' });

export const whole = (min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
};

export const flag = z.boolean({ error: 'must be true or false; leave it out to keep the default' });

/** Answers are what is stored: `+5.` is 5. */
export const positiveDecimal = z
  .string({ error: 'must be a decimal above 0' })
  .refine((value) => isDecimal(value) && /[1-9]/.test(value) && !value.startsWith('-'), {
    error: 'must be a decimal above 0',
  })
  .transform(canonicalDecimal);

/** An id of something else. One that is not a UUID is kept: it is reported as not found, as any unknown id is. */
export const id = z.string({ error: 'must be an id' });
export const ids = z
  .array(id, { error: 'must be a list of ids' })
  .max(MAX_IDS, { error: `must have at most ${MAX_IDS} ids` });

export const enumeration = <const T extends Readonly<Record<string, string>>>(values: T) =>
  z.enum(values, { error: `must be one of ${Object.keys(values).join(', ')}` });

export const jsonObject = z
  .record(z.string(), z.unknown(), { error: 'must be a JSON object' })
  .refine((value) => JSON.stringify(value).length <= MAX_JSON_BYTES, {
    error: `must be at most ${MAX_JSON_BYTES} characters of JSON`,
  });

/** Parses `input`, or throws `BAD_USER_INPUT` with the path of the first field at fault and what it may hold. */
export function parseInput<S extends z.ZodType>(schema: S, input: unknown, path = 'input'): z.output<S> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const field = [path, ...issue.path].join('.');
  throw new InputError('BAD_USER_INPUT', `${field} ${issue.message}.`, field);
}

/** The fields of `changes` that were given, over the current ones: an update is checked as a whole. */
export function merged<T extends object>(current: T, changes: object): T {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  return { ...current, ...Object.fromEntries(given) };
}

export function notFound(kind: string, id: string, field: string): InputError {
  return new InputError('NOT_FOUND', `There is no ${kind} with the id ${JSON.stringify(id.slice(0, 100))}.`, field);
}

/** Throws `NOT_FOUND` for an id that is not a UUID, before it reaches a column that would refuse it. */
export function requireUuid(kind: string, id: string, field: string): void {
  if (!isUuid(id)) throw notFound(kind, id, field);
}
