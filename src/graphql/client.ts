import type { FormattedExecutionResult } from 'graphql';
import { messageOf } from '../errors.js';
import { backoff, pause } from '../retry.js';
import { stoppable } from './async-streams.js';
import { GraphqlRequestError } from './client-errors.js';
import { ConnectionLostError, openSubscription } from './client-subscription.js';
import type { TypedDocumentString } from './generated/graphql.js';

export { GraphqlRequestError };

const REQUEST_TIMEOUT_MS = 30_000;
const RECONNECT_FIRST_MS = 500;
const RECONNECT_MAX_MS = 5_000;

export interface SubscribeOptions {
  /** Told why, each time the connection is lost; the subscription goes on by itself. */
  onDisconnect?: (reason: string) => void;
}

/** A client of the API with typed documents, one request or subscription per call. */
export interface GraphqlClient {
  /**
   * @param signal ends the request early
   * @throws GraphqlRequestError when the API answers with errors, ConnectionLostError when it does not answer within 30 s,
   * the reason of `signal` when that aborts
   */
  request<Result, Variables>(
    document: TypedDocumentString<Result, Variables>,
    variables: Variables,
    signal?: AbortSignal,
  ): Promise<Result>;
  /**
   * Events until the caller stops or the API ends the subscription. A lost connection is opened again, with the variables
   * as `variables` gives them then: with the last cursor as `after` nothing is missed and nothing comes twice.
   * @throws GraphqlRequestError when the API refuses or ends it with errors, ConnectionLostError when the first connection fails
   */
  subscribe<Result, Variables>(
    document: TypedDocumentString<Result, Variables>,
    variables: () => Variables,
    options?: SubscribeOptions,
  ): AsyncIterableIterator<Result, void, void>;
}

/**
 * @param url of the GraphQL endpoint, such as `http://127.0.0.1:4000/graphql`
 * @param token of the API, or a JWT
 */
export function createClient({ url, token }: { url: string; token?: string | undefined }): GraphqlClient {
  const authorization = token === undefined ? undefined : `Bearer ${token}`;
  return {
    async request<Result, Variables>(
      document: TypedDocumentString<Result, Variables>,
      variables: Variables,
      signal?: AbortSignal,
    ) {
      const result = await post<Result>(url, authorization, { query: document.toString(), variables }, signal);
      return dataOf(result);
    },
    subscribe<Result, Variables>(
      document: TypedDocumentString<Result, Variables>,
      variables: () => Variables,
      { onDisconnect }: SubscribeOptions = {},
    ) {
      const events = (signal: AbortSignal) =>
        openSubscription<Result>(
          url,
          authorization,
          { query: document.toString(), variables: variables() as Record<string, unknown> },
          signal,
        );
      return stoppable(async function* (signal) {
        let reached = false;
        let delays = backoff(RECONNECT_FIRST_MS, RECONNECT_MAX_MS);
        while (!signal.aborted) {
          try {
            for await (const event of events(signal)) {
              if (event === 'connected') {
                reached = true;
                delays = backoff(RECONNECT_FIRST_MS, RECONNECT_MAX_MS);
              } else {
                yield dataOf(event);
              }
            }
            return;
          } catch (error) {
            // A server that is up while its database is not says so to whoever comes back.
            const failed = error instanceof GraphqlRequestError && error.code === 'INTERNAL_SERVER_ERROR';
            if (!reached || !(failed || error instanceof ConnectionLostError)) throw error;
            onDisconnect?.(error.message);
            await pause(failed ? RECONNECT_MAX_MS : delays.next().value, signal);
          }
        }
      });
    },
  };
}

async function post<Result>(
  url: string,
  authorization: string | undefined,
  body: unknown,
  signal: AbortSignal | undefined,
): Promise<FormattedExecutionResult<Result>> {
  // Joined by hand: `AbortSignal.any` leaves something on a long-lived signal at each call (seen on Node 20).
  const cut = new AbortController();
  const stop = () => cut.abort();
  const timer = setTimeout(
    () => cut.abort(new Error(`no answer within ${REQUEST_TIMEOUT_MS / 1000} s`)),
    REQUEST_TIMEOUT_MS,
  );
  signal?.addEventListener('abort', stop, { once: true });
  try {
    signal?.throwIfAborted();
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...(authorization && { authorization }),
      },
      body: JSON.stringify(body),
      signal: cut.signal,
    });
    return (await response.json()) as FormattedExecutionResult<Result>;
  } catch (error) {
    signal?.throwIfAborted();
    const reason = error instanceof Error && error.cause ? messageOf(error.cause) : messageOf(error);
    throw new ConnectionLostError(`The API at ${url} cannot be reached: ${reason}.`, { cause: error });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

function dataOf<Result>(result: FormattedExecutionResult<Result>): Result {
  if (result.errors?.length) throw new GraphqlRequestError(result.errors);
  if (result.data == null) throw new Error('The answer is not one of a GraphQL API.');
  return result.data;
}
