import type { z } from 'zod';
import type { TaskCallDescription } from './execution-context.js';

/** What is wrong with the arguments of a task call; `field` is the path in the kwargs, empty for the object itself. */
export interface KwargsProblem {
  field: string;
  message: string;
}

/** Checks kwargs against the call's schema. The message names the call, so that it can stand alone. */
export function parseKwargs<T>(
  call: Pick<TaskCallDescription, 'name'> & { kwargs: z.ZodType<T> },
  kwargs: unknown,
): { ok: true; kwargs: T } | { ok: false; problem: KwargsProblem } {
  const parsed = call.kwargs.safeParse(kwargs);
  if (parsed.success) return { ok: true, kwargs: parsed.data };
  // A key nobody knows is most often a slip that also left a known one out: the slip says more.
  const issue = parsed.error.issues.find(({ code }) => code === 'unrecognized_keys') ?? parsed.error.issues[0]!;
  const field = issue.path.join('.');
  const message = `${call.name}${field === '' ? '' : `: ${field}`}: ${issue.message}`;
  return { ok: false, problem: { field, message } };
}
