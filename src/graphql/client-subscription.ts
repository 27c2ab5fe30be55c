import type { FormattedExecutionResult, GraphQLFormattedError } from 'graphql';
import { CloseCode, createClient, type SubscribePayload } from 'graphql-ws';
import { WebSocket } from 'ws';
import { messageOf } from '../errors.js';
import { Bell } from './bell.js';
import { GraphqlRequestError } from './client-errors.js';

const CONNECT_TIMEOUT_MS = 10_000;
/** The server pings each 20 s; after this time without one the connection is dead. */
const SILENCE_MS = 75_000;
/** Time for the server to answer the close; without a bound it would hold the process for half a minute. */
const CLOSE_GRACE_MS = 1_000;
/** Events waiting for the consumer, beyond which nothing is read from the socket. */
const MAX_WAITING = 1_000;

/** The API cannot be reached, or the connection ended; another try may go on where it stopped. */
export class ConnectionLostError extends Error {
  override readonly name = 'ConnectionLostError';
}

/**
 * One subscription on a connection of its own: `connected` once it is accepted, then its events, until the server
 * completes it or the signal aborts.
 * @throws ConnectionLostError, or GraphqlRequestError when the server refused or ended it
 */
export async function* openSubscription<Result>(
  url: string,
  authorization: string | undefined,
  payload: SubscribePayload,
  signal: AbortSignal,
): AsyncGenerator<'connected' | FormattedExecutionResult<Result>, void, void> {
  const waiting: ('connected' | FormattedExecutionResult<Result>)[] = [];
  const bell = new Bell();
  let socket: WebSocket | undefined;
  let latest: WebSocket | undefined;
  let ended: { error?: Error } | undefined;
  const offer = (event: (typeof waiting)[number]) => {
    if (waiting.push(event) > MAX_WAITING) socket?.pause();
    bell.ring();
  };
  const made = (webSocket: WebSocket) => (latest = webSocket);
  const end = (reason: { error?: Error }) => {
    ended ??= reason;
    bell.ring();
  };

  const client = createClient({
    url: url.replace(/^http/, 'ws'),
    webSocketImpl: class extends WebSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols, { handshakeTimeout: CONNECT_TIMEOUT_MS });
        made(this);
      }
    },
    ...(authorization && { connectionParams: { authorization } }),
    retryAttempts: 0,
    connectionAckWaitTimeout: CONNECT_TIMEOUT_MS,
    on: {
      opened: (opened) => endWhenSilent((socket = opened as WebSocket)),
      connected: () => offer('connected'),
    },
  });
  const unsubscribe = client.subscribe<Result>(payload, {
    next: (event) => offer(event as FormattedExecutionResult<Result>),
    error: (error) =>
      end({
        error: Array.isArray(error)
          ? new GraphqlRequestError(error as GraphQLFormattedError[])
          : (refusalOf(error) ?? new ConnectionLostError(reasonOf(error))),
      }),
    complete: () => end({}),
  });
  try {
    while (!signal.aborted) {
      const event = waiting.shift();
      if (event !== undefined) {
        if (socket?.isPaused && waiting.length < MAX_WAITING / 2) socket.resume();
        yield event;
      } else if (ended) {
        if (ended.error) throw ended.error;
        return;
      } else {
        await bell.wait(signal);
      }
    }
  } finally {
    unsubscribe();
    socket?.resume();
    setTimeout(() => latest?.terminate(), CLOSE_GRACE_MS).unref();
    await client.dispose();
  }
}

/** Cuts a connection whose server went away without a word. A paused socket shows no pings: then it is left alone. */
function endWhenSilent(socket: WebSocket): void {
  const cut = setTimeout(() => (socket.isPaused ? cut.refresh() : socket.terminate()), SILENCE_MS);
  for (const event of ['ping', 'message'] as const) socket.on(event, () => cut.refresh());
  socket.once('close', () => clearTimeout(cut));
}

/** What a server means that closes the connection because of the token: to connect again would not help. */
function refusalOf(error: unknown): GraphqlRequestError | undefined {
  const { code, reason } = (error ?? {}) as { code?: unknown; reason?: unknown };
  if (code !== CloseCode.Forbidden && code !== CloseCode.Unauthorized) return undefined;
  const message = `The API refused the connection: ${typeof reason === 'string' && reason ? reason : 'forbidden'}.`;
  return new GraphqlRequestError([{ message, extensions: { code: 'UNAUTHENTICATED' } }]);
}

/** An error, or the event of a socket that closed. */
function reasonOf(error: unknown): string {
  if (error instanceof Error) return messageOf(error);
  const { message, code, reason } = (error ?? {}) as { message?: string; code?: number; reason?: string };
  return message ?? (reason ? reason : `closed with code ${code ?? 'unknown'}`);
}
