import { InputError } from '../errors.js';
import type { ExecutionContext, TaskCallDescription } from './execution-context.js';
import { genericLis200 } from './generic-lis200.js';
import { parseKwargs } from './kwargs.js';

/** Every meter execution context, by name: the values of `AmrTask.meterExecutionType`. */
export const executionContexts: ReadonlyMap<string, ExecutionContext> = new Map(
  [genericLis200].map((context) => [context.name, context]),
);

/** The context named `type`. Throws an `InputError` on `meterExecutionType` that lists the names there are. */
export function findExecutionContext(type: string): ExecutionContext {
  const context = executionContexts.get(type);
  if (context) return context;
  throw unknown('meter execution type', type, executionContexts.keys(), 'meterExecutionType');
}

/** The call named `call` of context `type`. Throws an `InputError` on `meterExecutionType` or `taskCall`. */
export function findTaskCall(type: string, call: string): TaskCallDescription {
  const description = findExecutionContext(type);
  const found = description.calls.get(call);
  if (found) return found;
  throw unknown(`task call of ${type}`, call, description.calls.keys(), 'taskCall');
}

/**
 * Checks the arguments of a task call when it is saved or invoked. Throws an `InputError` on `taskKwargs` or the field
 * in it, such as `taskKwargs.start_date`.
 */
export function parseTaskKwargs(type: string, call: string, kwargs: unknown): Record<string, unknown> {
  const parsed = parseKwargs(findTaskCall(type, call), kwargs);
  if (parsed.ok) return parsed.kwargs;
  const { field, message } = parsed.problem;
  throw new InputError('BAD_USER_INPUT', message, field === '' ? 'taskKwargs' : `taskKwargs.${field}`);
}

function unknown(what: string, name: string, known: Iterable<string>, field: string): InputError {
  return new InputError(
    'BAD_USER_INPUT',
    `${JSON.stringify(name)} is no ${what}. There are: ${[...known].join(', ')}`,
    field,
  );
}
