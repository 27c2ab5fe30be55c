import { AsyncLocalStorage } from 'node:async_hooks';

/** Who asks, as far as it is known. */
export interface Caller {
  /** Name of the token or user. */
  readonly actor?: string;
  /** Address the request came from. */
  readonly source?: string;
}

/** A caller and what they asked for. */
export interface Request extends Caller {
  /** Name of the mutation or command. */
  readonly action?: string;
}

const requests = new AsyncLocalStorage<Request>();

/** Carries `work` out on behalf of `request`: the audit entries of all it changes name it. */
export function onBehalfOf<T>(request: Request, work: () => T): T {
  return requests.run(request, work);
}

/** Whom the work at hand is for; empty where nobody asked. */
export function currentRequest(): Request {
  return requests.getStore() ?? {};
}
