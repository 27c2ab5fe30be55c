import type { Database } from '../db/database.js';
import { createCanceller } from '../db/cancel-backends.js';
import { QueryScope } from '../db/query-scope.js';
import { InputError } from '../errors.js';
import type { Logger } from '../telemetry.js';
import { countRefusal } from './refusals.js';

/** Carries out `work`; rejects with `TIMEOUT` when it takes too long, and cancels its SQL. */
export type Deadline = <T>(work: () => PromiseLike<T> | T) => Promise<T>;

/** One deadline for queries and mutations, whichever door they came through. Subscriptions have none. */
export function createDeadline(database: Database, timeoutMs: number, log: Logger): Deadline {
  const cancelBackends = createCanceller(database.url, log);
  return async (work) => {
    const scope = new QueryScope(cancelBackends);
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        countRefusal('timeout');
        const error = new InputError(
          'TIMEOUT',
          `The operation did not end within ${timeoutMs / 1000} s and was stopped. Ask for less; of a mutation, look whether it took effect before you repeat it.`,
        );
        reject(error);
        void scope.cancel(error);
      }, timeoutMs);
    });
    try {
      return await Promise.race([scope.run(work), tooLate]);
    } finally {
      clearTimeout(timer);
    }
  };
}
