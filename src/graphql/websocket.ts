import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { execute, GraphQLError, type ExecutionResult, type GraphQLFormattedError, type GraphQLSchema } from 'graphql';
import { CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import { WebSocket, WebSocketServer } from 'ws';
import { InputError, messageOf } from '../errors.js';
import type { Logger } from '../telemetry.js';
import { asGraphQLError, type Cost, type createAdmission } from './admission.js';
import type { Authenticate, Identity } from './authenticate.js';
import { addressKey, callerKey, tokenKey } from './caller.js';
import type { CallerLimits } from './caller-limits.js';
import type { RequestContext } from './context.js';
import type { Deadline } from './deadline.js';
import { isForeign } from './foreign-origin.js';
import { whenOver } from './identity-end.js';
import { MAX_OPERATIONS_PER_SOCKET, MAX_REQUEST_BYTES } from './limits.js';
import type { MeterCache } from './meter-cache.js';
import type { Outlet } from './outlet.js';
import type { SubscriptionArgs } from './reading-renderers.js';
import { countRefusal, limitExceeded } from './refusals.js';
import { bareAnswer } from './security-headers.js';
import { SocketConnection } from './socket-connection.js';
import { subscribeWithin } from './subscribe.js';

const CONNECTION_INIT_TIMEOUT_MS = 5_000;
const PING_MS = 20_000;
/** Pings in a row without any sign of life before a peer counts as gone. */
const MAX_SILENT_PINGS = 3;
/** Unsent bytes of one socket, events and answers together, beyond which nothing more is read from it. */
const MAX_UNSENT_ANSWERS = 4_000_000;
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
  admit: ReturnType<typeof createAdmission>;
  limits: CallerLimits;
  /** Of queries and mutations. */
  deadline: Deadline;
  meters: MeterCache;
  log: Logger;
}

/** One WebSocket, as limits and rights see it. */
interface Peer {
  readonly request: IncomingMessage;
  readonly connection: SocketConnection;
  /** Whom its operations are counted for; a token given with `connection_init` changes it. */
  caller: string;
  /** Refuses to go on, in a way that makes clients come back later. */
  readonly turnAway: (reason: string) => void;
  /** Ends it for good, as the client's rights are over. */
  readonly shutOut: (reason: string) => void;
  readonly isOpen: () => boolean;
  /** Called when it has closed. */
  readonly onClosed: (() => void)[];
  /** Known once the connection is acknowledged. */
  createContext?: () => RequestContext;
}

/** What graphql-ws carries out, with what our own execution needs. */
interface OperationArgs extends SubscriptionArgs {
  readonly peer: Peer;
  readonly outlet: Outlet<string>;
  readonly cost: Cost;
}

/**
 * Serves all operations by the graphql-transport-ws protocol on the HTTP server's port.
 * @returns a function that closes every socket with code 1001, which clients answer by connecting again, and waits for it
 */
export function serveWebSocket(options: WebSocketOptions): () => Promise<void> {
  const { server, path, limits, log } = options;
  const protocol = createProtocol(options);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_REQUEST_BYTES, handleProtocols });

  sockets.on('connection', (socket: WebSocket, request: IncomingMessage) => {
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') countRefusal('body');
      log.debug({ reason: messageOf(error) }, 'a WebSocket failed');
    });
    const connection = new SocketConnection(socket, request.socket);
    const peer: Peer = {
      request,
      connection,
      caller: callerKey(request),
      turnAway: (reason) => socket.close(CLOSE_TRY_AGAIN_LATER, reason),
      shutOut: (reason) => socket.close(CloseCode.Forbidden, reason),
      isOpen: () => socket.readyState === WebSocket.OPEN,
      onClosed: [],
    };
    socket.once('close', () => peer.onClosed.forEach((release) => release()));
    const release = limits.connection(addressKey(request));
    if (!release) return peer.turnAway('Too many connections from this address');
    peer.onClosed.push(release);
    const stopPings = watchPeer(socket, request);
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
            // Whoever asks and does not take the answers, pongs among them, is not listened to until it has taken them.
            if (socket.bufferedAmount > MAX_UNSENT_ANSWERS && !socket.isPaused) {
              socket.pause();
              void connection.drained().then(() => socket.resume());
            }
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
      closed(code, reason.toString()).catch((error: unknown) =>
        log.error({ err: error }, 'a WebSocket did not end well'),
      );
    });
  });

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const refusal = refuse(request, path);
    if (refusal) return socket.end(bareAnswer(refusal));
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
const CLOSE_TRY_AGAIN_LATER = 1013;

/** Why an upgrade is refused, as an HTTP status line; undefined when it is not. */
function refuse(request: IncomingMessage, path: string): string | undefined {
  if (request.url?.split('?')[0] !== path) return '404 Not Found';
  if (isForeign(request)) return '403 Forbidden';
  return undefined;
}

function createProtocol(options: WebSocketOptions) {
  const { schema, authenticate, createContext, formatError, admit, limits, deadline, meters } = options;
  return makeServer<Record<string, unknown>, Peer>({
    connectionInitWaitTimeout: CONNECTION_INIT_TIMEOUT_MS,
    onConnect: async ({ connectionParams, extra: peer }) => {
      const authorization = authorizationIn(connectionParams) ?? peer.request.headers.authorization;
      try {
        const identity = await authenticate(authorization);
        if (!peer.isOpen()) return false;
        peer.createContext = () => createContext(identity, peer.request.socket.remoteAddress);
        peer.onClosed.push(whenOver(identity, peer.shutOut));
      } catch (error) {
        // Ours to answer for, and for the client to try again: the database is away, for one.
        if (!(error instanceof GraphQLError)) throw error;
        peer.shutOut(closeReason(error.message));
        return false;
      }
      if (authorization === undefined) return true;
      peer.caller = tokenKey(authorization);
      const release = limits.connection(peer.caller);
      if (release) peer.onClosed.push(release);
      else peer.turnAway('Too many connections with this token');
      return true;
    },
    onSubscribe: ({ subscriptions, extra: peer }, id, payload) => {
      const tooMany = limits.request(peer.caller);
      if (tooMany) return [asGraphQLError(tooMany.error)];
      if (Object.keys(subscriptions).length > MAX_OPERATIONS_PER_SOCKET) {
        const message = `One WebSocket carries ${MAX_OPERATIONS_PER_SOCKET} operations at once; open another.`;
        return [asGraphQLError(limitExceeded('operations', message))];
      }
      // Returned, not thrown: an error thrown here would close the socket and end its other operations.
      const admitted = admit(payload);
      if (!('document' in admitted)) return admitted;
      const { document, cost } = admitted;
      const { operationName, variables: variableValues } = payload;
      const args: OperationArgs = {
        schema,
        document,
        operationName,
        variableValues,
        contextValue: peer.createContext!(),
        outlet: peer.connection.outletOf(id),
        peer,
        cost,
      };
      return args;
    },
    execute: (args) => executeWithin(deadline, args as OperationArgs),
    // Made above: the library hands it on as it is.
    subscribe: (args) => {
      const { outlet, peer } = args as OperationArgs;
      return subscribeWithin(limits, peer.caller, args as OperationArgs, outlet, { meters, formatError });
    },
    onNext: (_context, _id, _payload, _args, { errors, ...result }) => ({
      ...result,
      ...(errors && { errors: errors.map(formatError) }),
    }),
    onError: (_context, _id, _payload, errors) => errors.map(formatError),
  });
}

async function executeWithin(deadline: Deadline, args: OperationArgs): Promise<ExecutionResult> {
  const { cost } = args;
  try {
    return { ...(await deadline(() => execute(args))), extensions: { cost } };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { errors: [asGraphQLError(error)], extensions: { cost } };
  }
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
