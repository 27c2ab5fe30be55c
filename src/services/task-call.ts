import { z } from 'zod';
import { findTaskCall, parseTaskKwargs } from '../execution/contexts.js';
import type { TaskCallDescription } from '../execution/execution-context.js';
import { InputError } from '../errors.js';

interface TaskCall {
  readonly meterExecutionType: string;
  readonly taskCall: string;
  readonly taskKwargs: Record<string, unknown>;
}

/**
 * Checks that a call can be carried out, before it is saved or invoked. Throws `BAD_USER_INPUT` naming the field of the
 * input at fault and what there is instead. The kwargs are kept as given: pollers parse them again.
 */
export function requireTaskCall({ meterExecutionType, taskCall, taskKwargs }: TaskCall): void {
  try {
    parseTaskKwargs(meterExecutionType, taskCall, taskKwargs);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const field = `input.${error.field}`;
    const cure = error.field?.startsWith('taskKwargs')
      ? `. ${taskCall} takes ${describeKwargs(findTaskCall(meterExecutionType, taskCall))}.`
      : '';
    throw new InputError(error.code, `${field}: ${error.message}${cure}`, field);
  }
}

/** JSON Schema of a call's kwargs, as they are given: defaults not yet filled in. */
export function kwargsSchema(call: TaskCallDescription): Record<string, unknown> {
  return z.toJSONSchema(call.kwargs, { io: 'input', unrepresentable: 'any' });
}

/** Such as `offset_seconds, archive_number (optional)`. */
function describeKwargs(call: TaskCallDescription): string {
  const { properties = {}, required = [] } = kwargsSchema(call) as { properties?: object; required?: string[] };
  const names = Object.keys(properties).map((key) => (required.includes(key) ? key : `${key} (optional)`));
  return names.length > 0 ? names.join(', ') : 'no arguments';
}
