import type { AddressInfo } from 'node:net';
import { ApolloServer } from '@apollo/server';
import {
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify';
import type { Config } from '../config.js';
import type { Database } from '../db/database.js';
import { retryRead } from '../db/retry-read.js';
import { messageOf, StartupError } from '../errors.js';
import type { ReadinessReport } from '../lifecycle.js';
import type { Broker } from '../messaging/broker.js';
import type { Services } from '../services/index.js';
import type { Logger } from '../telemetry.js';
import { createOrganizationLookup } from '../services/organization-lookup.js';
import { TokenVerifier } from '../services/token-verifier.js';
import { Role } from '../domain/enums.js';
import { requireAccess } from './access.js';
import { createAdmission, validationRules } from './admission.js';
import { apiSettings, type ApiSettings } from './api-settings.js';
import { createAuthentication, type Identity } from './authenticate.js';
import { createCallerLimits } from './caller-limits.js';
import { addConsole } from './console-files.js';
import type { RequestContext } from './context.js';
import { costPlugin } from './cost-plugin.js';
import { createDeadline } from './deadline.js';
import { formatError } from './errors.js';
import { addEventStream } from './event-stream.js';
import { addHealthRoutes } from './health.js';
import { addHttpDoor } from './http-door.js';
import { MAX_REQUEST_BYTES, MAX_TOKENS } from './limits.js';
import { createLiveFeed } from './live-feed.js';
import { createLoaders } from './loaders.js';
import { MeterCache } from './meter-cache.js';
import { PersistedOperations } from './persisted-operations.js';
import { countRefusal } from './refusals.js';
import { RawLists, rawListsInAnswers, stringifyAnswer } from './raw-lists.js';
import { addReadingExport } from './reading-export-route.js';
import { buildGraphqlSchema } from './schema.js';
import { bareAnswer, SECURITY_HEADERS } from './security-headers.js';
import { subscriptionsElsewhere } from './subscriptions-elsewhere.js';
import { serveWebSocket } from './websocket.js';

const GRAPHQL_PATH = '/graphql';
const EVENT_STREAM_PATH = '/graphql/stream';
/** Time for requests in hand to finish when the server closes; the rest is cut. */
const CLOSE_GRACE_MS = 10_000;
/** Longest time for a request to arrive in full. */
const REQUEST_ARRIVAL_MS = 30_000;

export interface GraphqlServerOptions {
  /** Limits that are left out have their defaults. */
  config: Pick<Config, 'httpHost' | 'httpPort' | 'auth' | 'oidc'> & Partial<ApiSettings>;
  database: Database;
  broker: Broker;
  log: Logger;
  services: Services;
  /** What `/health/ready` answers. */
  readiness: () => Promise<ReadinessReport>;
}

export interface GraphqlServer {
  /** Base URL, such as `http://127.0.0.1:4000`; GraphQL is at `/graphql`, over HTTP and WebSocket. */
  readonly url: string;
  readonly port: number;
  /** Takes no more requests, closes WebSockets with code 1001, finishes what is in hand; at most ten seconds. */
  close(): Promise<void>;
}

/**
 * Starts the API: GraphQL over HTTP and WebSocket, GraphiQL, health and metrics, on one port.
 * @throws StartupError when the port cannot be used
 */
export async function startGraphqlServer(options: GraphqlServerOptions): Promise<GraphqlServer> {
  const { config, database, broker, log, services, readiness } = options;
  const settings = apiSettings(config);
  const persisted = await PersistedOperations.load(settings);
  const schema = await buildGraphqlSchema();
  const admit = createAdmission(schema, settings, persisted);
  const limits = createCallerLimits(settings);
  const deadline = createDeadline(database, settings.apiTimeoutMs, log);
  const meters = new MeterCache((organizationId, ids) =>
    retryRead(() => services.meterDevices.byIds(organizationId, ids)),
  );
  const live = await createLiveFeed({
    database,
    broker,
    log,
    meters,
    loadRuns: (organizationId, ids) => services.taskRuns.byIds(organizationId, ids),
  });
  const tokens = await TokenVerifier.start({ pool: database.pool, broker, log });
  const authenticate = createAuthentication({
    config,
    tokens,
    findOrganization: createOrganizationLookup(database),
    log,
  });
  const createContext = (identity: Identity, source: string | undefined): RequestContext => ({
    ...identity,
    source,
    services,
    live,
    loaders: createLoaders(services, identity.organizationId),
  });
  const toClient = (error: unknown) => formatError(error, log);

  const apollo = new ApolloServer<RequestContext>({
    schema,
    csrfPrevention: true,
    // Clients are meant to explore the schema, unless the operator has a reason: `validationRules` decides, for all doors.
    introspection: true,
    // Resolved before, for all doors.
    persistedQueries: false,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    parseOptions: { maxTokens: MAX_TOKENS },
    validationRules: validationRules(settings),
    formatError: (_formatted, error) => toClient(error),
    logger: log,
    // Nothing about operations leaves this host, whatever the environment says.
    plugins: [
      ApolloServerPluginUsageReportingDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      subscriptionsElsewhere,
      costPlugin(settings.apiMaxCost),
      rawListsInAnswers,
    ],
    stringifyResult: stringifyAnswer,
  });
  const app = Fastify({
    bodyLimit: MAX_REQUEST_BYTES,
    requestTimeout: REQUEST_ARRIVAL_MS,
    forceCloseConnections: 'idle',
    // A URL that cannot be read comes before the hooks that set headers.
    frameworkErrors: (error, _request, reply) => {
      const plain = reply as unknown as FastifyReply;
      void plain.headers(SECURITY_HEADERS).code(400);
      void plain.send({ errors: [refusal(error, 400)] });
    },
    clientErrorHandler: ({ code }, socket) => {
      const status = code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
      if (socket.writable) socket.end(bareAnswer(status));
      else socket.destroy();
    },
  });
  let endStreams: () => void = () => undefined;
  const stop = async (closeSockets: () => Promise<void>) => {
    endStreams();
    // The sockets first: they must end with 1001, which makes clients come back, not with completed subscriptions.
    const closing = closeSockets();
    const closed = app.close();
    await within(CLOSE_GRACE_MS, () => app.server.closeAllConnections(), Promise.all([closing, closed]));
    await live.close();
    await tokens.stop();
    await apollo.stop();
  };

  try {
    await apollo.start();
    prepare(app, log);
    addHealthRoutes(app, readiness);
    await addConsole(app);
    addReadingExport(app, {
      readingExport: services.readingExport,
      log,
      formatError: toClient,
      // Who may query readings may export them.
      identify: async ({ headers }) => {
        const identity = await authenticate(headers.authorization);
        requireAccess(identity, 'readings', Role.VIEWER);
        return identity;
      },
    });
    addHttpDoor(app, {
      path: GRAPHQL_PATH,
      apollo,
      createContext: async ({ headers, ip }) => ({
        ...createContext(await authenticate(headers.authorization), ip),
        rawLists: new RawLists(),
      }),
      formatError: toClient,
      limits,
      persisted,
      deadline,
    });
    endStreams = addEventStream(app, {
      path: EVENT_STREAM_PATH,
      schema,
      authenticate,
      createContext,
      formatError: toClient,
      admit,
      limits,
      deadline,
      meters,
      log,
    });
    await listen(app, config);
  } catch (error) {
    await stop(async () => undefined);
    throw error;
  }
  const closeSockets = serveWebSocket({
    server: app.server,
    path: GRAPHQL_PATH,
    schema,
    authenticate,
    createContext,
    formatError: toClient,
    admit,
    limits,
    deadline,
    meters,
    log,
  });
  const { port } = app.server.address() as AddressInfo;
  const host = config.httpHost.includes(':') ? `[${config.httpHost}]` : config.httpHost;
  return { url: `http://${host}:${port}`, port, close: () => stop(closeSockets) };
}

/** Headers on every answer, and errors outside GraphQL (a body that is no JSON, or too large) in GraphQL's form. */
function prepare(app: FastifyInstance, log: Logger): void {
  app.addHook('onRequest', async (_request, reply) => {
    void reply.headers(SECURITY_HEADERS);
  });
  app.setErrorHandler((error: FastifyError, _request, reply) => {
    const status = error.statusCode ?? 500;
    return reply.code(status).send({ errors: [status < 500 ? refusal(error, status) : formatError(error, log)] });
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({
      errors: [{ message: `Nothing is here; GraphQL is at ${GRAPHQL_PATH}.`, extensions: { code: 'NOT_FOUND' } }],
    }),
  );
}

function refusal({ message }: Pick<FastifyError, 'message'>, status: number) {
  if (status !== 413) return { message, extensions: { code: 'BAD_REQUEST' } };
  countRefusal('body');
  return {
    message: `The request is larger than ${MAX_REQUEST_BYTES} bytes. Send less at a time.`,
    extensions: { code: 'LIMIT_EXCEEDED' },
  };
}

async function listen(
  app: FastifyInstance,
  { httpHost: host, httpPort: port }: GraphqlServerOptions['config'],
): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw new StartupError(`The API cannot listen on ${host}, port ${port}: ${whyNot(error, port)}`, { cause: error });
  }
}

function whyNot(error: unknown, port: number): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return `another program uses it, perhaps another \`amr\` (\`ss -ltnp 'sport = :${port}'\` names it). Stop that one, or set AMR_HTTP_PORT to another port; 0 takes any free one.`;
    case 'EACCES':
      return `this user may not use it; ports below 1024 are for root. Set AMR_HTTP_PORT to a higher one, such as 4000.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return 'this host has no such address. Correct AMR_HTTP_HOST.';
    default:
      return `${messageOf(error)}. See AMR_HTTP_HOST and AMR_HTTP_PORT.`;
  }
}

/** Waits for `work`; after `ms` calls `force`, which must make it end. */
async function within(ms: number, force: () => void, work: Promise<unknown>): Promise<void> {
  const timer = setTimeout(force, ms);
  try {
    await work;
  } finally {
    clearTimeout(timer);
  }
}
