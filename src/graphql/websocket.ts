import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { GraphQLError, type GraphQLFormattedError, type GraphQLSchema } from 'graphql';
import { CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import { WebSocket, WebSocketServer } from 'ws';
import { InputError, messageOf } from '../errors.js';
import type { Logger } from '../telemetry.js';
import type { Authenticate, Identity } from './authenticate.js';
import type { RequestContext } from './context.js';
import { isForeign } from './foreign-origin.js';
import { whenOver } from './identity-end.js';
import { MAX_OPERATIONS_PER_SOCKET, MAX_REQUEST_BYTES } from './limits.js';
import type { MeterCache } from './meter-cache.js';
import type { Outlet } from './outlet.js';
import { PreparedDocuments } from './prepared-documents.js';
import type { SubscriptionArgs } from './reading-renderers.js';
import { SocketConnection } from './socket-connection.js';
import { subscribe } from './subscribe.js';

const CONNECTION_INIT_TIMEOUT_MS = 5_000;
const PING_MS = 20_000;
/** Pings in a row without any sign of life before a peer counts as gone. */
const MAX_SILENT_PINGS = 3;
/** Time for clients to answer the close frame. */
const CLOSE_GRACE_MS = 2_000;

export interface WebSocketOptions {
  server: Server;
  path: string;
  schema: GraphQLSchema;
  /** Called for each operation. */
  createContext: (identity: Identity, source: string | undefined) => RequestContext;
  /** By `authorization` of the connection's payload, or by the header of the upgrade. */
  authenticate: Authenticate;
  formatError: (error: unknown) => GraphQLFormattedError;
  meters: MeterCache;
  log: Logger;
}

/** What the protocol keeps of one socket. */
interface Peer {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  readonly connection: SocketConnection;
  /** Known once the connection is acknowledged. */
  createContext?: () => RequestContext;
  /** Ends the watch on the identity. */
  release?: () => void;
}

/** What is handed to `subscribe` beside the operation. */
interface SocketArgs extends SubscriptionArgs {
  readonly outlet: Outlet<string>;
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
    const connection = new SocketConnection(socket, request.socket);
    const peer: Peer = { socket, request, connection };
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        // graphql-ws takes the next event of a subscription when this resolves: waiting here bounds what a client
        // that does not read can make us hold.
        send: async (data) => {
          connection.send(data);
          if (connection.full) await connection.drained();
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
      peer,
    );
    socket.once('close', (code, reason) => {
      stopPings();
      peer.release?.();
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
  if (isForeign(request)) return '403 Forbidden';
  return undefined;
}

function createProtocol({ schema, authenticate, createContext, formatError, meters }: WebSocketOptions) {
  const documents = new PreparedDocuments(schema);
  return makeServer<Record<string, unknown>, Peer>({
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
    onSubscribe: ({ subscriptions, extra }, id, { query, variables, operationName }) => {
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
        const document = documents.prepare(query);
        if (Array.isArray(document)) return document;
        const args: SocketArgs = {
          schema,
          document,
          operationName,
          variableValues: variables,
          contextValue: extra.createContext!(),
          outlet: extra.connection.outletOf(id),
        };
        return args;
      } catch (error) {
        return [asGraphQLError(error)];
      }
    },
    // Made above: the library hands it on as it is.
    subscribe: (args) => subscribe(args as SocketArgs, (args as SocketArgs).outlet, { meters, formatError }),
    onNext: (_context, _id, _payload, _args, { errors, ...result }) => ({
      ...result,
      ...(errors && { errors: errors.map(formatError) }),
    }),
    onError: (_context, _id, _payload, errors) => errors.map(formatError),
  });
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
