import { Counter } from 'prom-client';
import { InputError } from '../errors.js';
import { metrics } from '../telemetry.js';

/** Which limit a request met. */
export type RefusalReason =
  | 'aliases'
  | 'batch'
  | 'body'
  | 'connections'
  | 'cost'
  | 'depth'
  | 'directives'
  | 'operations'
  | 'persisted'
  | 'rate'
  | 'root_fields'
  | 'subscriptions'
  | 'timeout'
  | 'tokens';

const refused = new Counter({
  name: 'amr_api_refused_total',
  help: 'Requests, operations and connections that the API refused or ended because of a limit.',
  labelNames: ['reason'],
  registers: [metrics],
});

export function countRefusal(reason: RefusalReason): void {
  refused.inc({ reason });
}

/** Counts a refusal and returns its error; `message` names the limit and the cure. */
export function limitExceeded(reason: RefusalReason, message: string): InputError {
  countRefusal(reason);
  return new InputError('LIMIT_EXCEEDED', message);
}
