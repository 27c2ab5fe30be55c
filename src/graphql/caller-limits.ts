import type { InputError } from '../errors.js';
import type { ApiSettings } from './api-settings.js';
import { Quota } from './quota.js';
import { countRefusal, limitExceeded } from './refusals.js';
import { TokenBuckets } from './token-buckets.js';

/** What one caller may do, over all doors together. */
export interface CallerLimits {
  /** Counts a request; returns the refusal and when to come back, or undefined. */
  request(caller: string): { error: InputError; retryAfterSeconds: number } | undefined;
  /** Counts a WebSocket; returns what gives it back, or undefined when there are too many. */
  connection(caller: string): (() => void) | undefined;
  /** Counts a subscription; returns what gives it back, or the refusal. */
  subscription(caller: string): (() => void) | InputError;
}

export function createCallerLimits(settings: ApiSettings): CallerLimits {
  const { apiRate, apiMaxConnections, apiMaxSubscriptions } = settings;
  const buckets = new TokenBuckets(apiRate);
  const connections = new Quota(apiMaxConnections);
  const subscriptions = new Quota(apiMaxSubscriptions);
  return {
    request: (caller) => {
      const retryAfterSeconds = buckets.take(caller);
      if (retryAfterSeconds === 0) return undefined;
      const message = `More than ${apiRate} requests per second from this caller; come back in ${retryAfterSeconds} s.`;
      return { error: limitExceeded('rate', message), retryAfterSeconds };
    },
    connection: (caller) => {
      const release = connections.take(caller);
      if (!release) countRefusal('connections');
      return release;
    },
    subscription: (caller) =>
      subscriptions.take(caller) ??
      limitExceeded(
        'subscriptions',
        `This caller has ${apiMaxSubscriptions} subscriptions open, as many as are allowed; end some, or ask for more in one filter.`,
      ),
  };
}
