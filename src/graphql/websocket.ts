import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  createSourceEventStream,
  execute,
  GraphQLError,
  parse,
  specifiedRules,
  validate,
  type ExecutionArgs,
  type GraphQLFormattedError,
  type GraphQLSchema,
} from 'graphql';
import { CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import { WebSocket, WebSocketServer } from 'ws';
import { InputError, messageOf } from '../errors.js';
import type { Logger } from '../telemetry.js';
import { mapStream } from './async-streams.js';
import type { Authenticate, Identity } from './authenticate.js';
import type { RequestContext } from './context.js';
import { contextPerGroup } from './event-groups.js';
import { whenOver } from './identity-end.js';
import { MAX_OPERATIONS_PER_SOCKET, MAX_REQUEST_BYTES, MAX_TOKENS, operationSizeRule } from './limits.js';

const CONNECTION_INIT_TIMEOUT_MS = 5_000;
const PING_MS = 20_000;
/** Pings in a row without any sign of life before a peer counts as gone. */
const MAX_SILENT_PINGS = 3;
/** Unsent bytes of one socket beyond which its subscriptions wait. */
const MAX_UNSENT_BYTES = 1_000_000;
/** Time for clients to answer the close frame. */
const CLOSE_GRACE_MS = 2_000;

export interface WebSocketOptions {
  server: Server;
  path: string;
  schema: GraphQLSchema;
  /** Called for each operation, and again for each group of events of a subscription, so that loaders never hold old rows. */
  createContext: (identity: Identity, source: string | undefined) => RequestContext;
  /** By `authorization` of the connection's payload, or by the header of the upgrade. */
  authenticate: Authenticate;
  formatError: (error: unknown) => GraphQLFormattedError;
  log: Logger;
}

/** What the protocol keeps of one socket. */
interface Connection {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  /** Known once the connection is acknowledged. */
  createContext?: () => RequestContext;
  /** Ends the watch on the identity. */
  release?: () => void;
}

/**
 * Serves all operations by the graphql-transport-ws protocol on the HTTP server's port.
 * @returns a function that closes every socket with code 1001, which clients answer by connecting again, and waits for it
 */
export function serveWebSocket(options: WebSocketOptions): () => Promise<void> {
  const { server, path, log } = options;
  const protocol = createProtocol(options);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_REQUEST_BYTES, handleProtocols });

  sockets.on('connection', (socket: WebSocket, request: IncomingMessage) => {
    socket.on('error', (error) => log.debug({ reason: messageOf(error) }, 'a WebSocket failed'));
    const stopPings = watchPeer(socket, request);
    const drained = drainOf(request);
    const connection: Connection = { socket, request };
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        // graphql-ws takes the next event of a subscription when this resolves: waiting here bounds what a client
        // that does not read can make us hold.
        send: async (data) => {
          if (socket.readyState !== WebSocket.OPEN) return;
          socket.send(data);
          if (socket.bufferedAmount > MAX_UNSENT_BYTES) await drained();
        },
        close: (code, reason) => socket.close(code, reason),
        onMessage: (handle) => {
          socket.on('message', (data: Buffer) => {
            handle(data.toString()).catch((error: unknown) => {
              log.error({ err: error }, 'a WebSocket message could not be handled');
              socket.close(CloseCode.InternalServerError, 'Internal server error');
            });
          });
        },
      },
      connection,
    );
    socket.once('close', (code, reason) => {
      stopPings();
      connection.release?.();
      closed(code, reason.toString()).catch((error: unknown) =>
        log.error({ err: error }, 'a WebSocket did not end well'),
      );
    });
  });

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const refusal = refuse(request, path);
    if (refusal) return socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit('connection', webSocket, request));
  };
  server.on('upgrade', upgrade);

  return async () => {
    // A client that connects from here on is told so, by the same code.
    sockets.on('connection', (late: WebSocket) => late.close(CLOSE_GOING_AWAY, 'The server is stopping'));
    await Promise.all([...sockets.clients].map(closeSocket));
    server.off('upgrade', upgrade);
    sockets.close();
  };
}

const CLOSE_GOING_AWAY = 1001;

/** Why an upgrade is refused, as an HTTP status line; undefined when it is not. */
function refuse(request: IncomingMessage, path: string): string | undefined {
  if (request.url?.split('?')[0] !== path) return '404 Not Found';
  // Browsers let any site open a WebSocket to any host, and only say which site it was. Other clients send no origin.
  const { origin, host } = request.headers;
  if (origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host)) return '403 Forbidden';
  return undefined;
}

function createProtocol({ schema, authenticate, createContext, formatError }: WebSocketOptions) {
  return makeServer<Record<string, unknown>, Connection>({
    connectionInitWaitTimeout: CONNECTION_INIT_TIMEOUT_MS,
    onConnect: async ({ connectionParams, extra }) => {
      const { socket, request } = extra;
      try {
        const identity = await authenticate(authorizationIn(connectionParams) ?? request.headers.authorization);
        extra.createContext = () => createContext(identity, request.socket.remoteAddress);
        if (socket.readyState === WebSocket.OPEN)
          extra.release = whenOver(identity, (why) => socket.close(CloseCode.Forbidden, why));
        return true;
      } catch (error) {
        // Ours to answer for, and for the client to try again: the database is away, for one.
        if (!(error instanceof GraphQLError)) throw error;
        socket.close(CloseCode.Forbidden, closeReason(error.message));
        return false;
      }
    },
    onSubscribe: ({ subscriptions, extra }, _id, { query, variables, operationName }) => {
      if (Object.keys(subscriptions).length > MAX_OPERATIONS_PER_SOCKET) {
        return [
          asGraphQLError(
            new InputError(
              'LIMIT_EXCEEDED',
              `One WebSocket carries ${MAX_OPERATIONS_PER_SOCKET} operations at once; open another.`,
            ),
          ),
        ];
      }
      // Returned, not thrown: an error thrown here would close the socket and end its other operations.
      try {
        const document = parse(query, { maxTokens: MAX_TOKENS });
        const errors = validate(schema, document, [...specifiedRules, operationSizeRule]);
        if (errors.length > 0) return errors.map((error) => withCode(error, 'GRAPHQL_VALIDATION_FAILED'));
        return { schema, document, operationName, variableValues: variables, contextValue: extra.createContext!() };
      } catch (error) {
        const wrapped = asGraphQLError(error);
        return [error instanceof GraphQLError ? withCode(wrapped, 'GRAPHQL_PARSE_FAILED') : wrapped];
      }
    },
    subscribe: (args) => {
      const first = args.contextValue as RequestContext;
      return subscribe(args, () => createContext(first, first.source));
    },
    onNext: (_context, _id, _payload, _args, { errors, ...result }) => ({
      ...result,
      ...(errors && { errors: errors.map(formatError) }),
    }),
    onError: (_context, _id, _payload, errors) => errors.map(formatError),
  });
}

/** As `subscribe` of graphql, but each group of events is resolved with a context of its own. */
async function subscribe(args: ExecutionArgs, createContext: () => RequestContext) {
  const events = await createSourceEventStream(args);
  if (!(Symbol.asyncIterator in events)) return events;
  const contextOf = contextPerGroup(createContext);
  return mapStream(events, (event) => execute({ ...args, rootValue: event, contextValue: contextOf(event) }));
}

/** Clients write the name either way. */
function authorizationIn(payload: Record<string, unknown> | undefined): string | undefined {
  const value = payload?.['authorization'] ?? payload?.['Authorization'];
  return typeof value === 'string' ? value : undefined;
}

/** A close frame has room for 123 bytes. */
function closeReason(message: string): string {
  const [first] = message.split('. ');
  return first!.replace(/[^ -~]/g, '?').slice(0, 123);
}

function withCode(error: GraphQLError, code: string): GraphQLError {
  return new GraphQLError(error.message, {
    nodes: error.nodes,
    source: error.source,
    positions: error.positions,
    extensions: { code, ...error.extensions },
  });
}

function asGraphQLError(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) return error;
  return new GraphQLError(messageOf(error), {
    originalError: error instanceof Error ? error : new Error(messageOf(error)),
  });
}

/** Pings the peer and ends the connection after a time without a pong, a message, or bytes taken from us. */
function watchPeer(socket: WebSocket, request: IncomingMessage): () => void {
  let silentPings = 0;
  let sent = 0;
  const alive = () => (silentPings = 0);
  socket.on('pong', alive);
  socket.on('message', alive);
  const timer = setInterval(() => {
    // A slow reader's pong waits behind what it has not read yet; that it takes bytes is enough.
    const nowSent = request.socket.bytesWritten - request.socket.writableLength;
    if (nowSent > sent && request.socket.writableLength > 0) alive();
    sent = nowSent;
    if (silentPings++ >= MAX_SILENT_PINGS) socket.terminate();
    else socket.ping();
  }, PING_MS);
  return () => clearInterval(timer);
}

/** Waits until everything written has left for the network, or the connection is gone; one wait for all who ask. */
function drainOf({ socket }: IncomingMessage): () => Promise<void> {
  let waiting: Promise<void> | undefined;
  return () =>
    (waiting ??= new Promise<void>((resolve) => {
      const done = () => {
        socket.off('drain', done);
        socket.off('close', done);
        waiting = undefined;
        resolve();
      };
      socket.on('drain', done);
      socket.on('close', done);
      if (socket.destroyed || !socket.writableNeedDrain) done();
    }));
}

function closeSocket(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => socket.terminate(), CLOSE_GRACE_MS);
    socket.once('close', () => {
      clearTimeout(force);
      resolve();
    });
    if (socket.readyState === WebSocket.CLOSED) {
      clearTimeout(force);
      resolve();
    }
    socket.close(CLOSE_GOING_AWAY, 'The server is stopping');
  });
}
