import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { execute, GraphQLError, OperationTypeNode, type GraphQLFormattedError, type GraphQLSchema } from 'graphql';
import { z } from 'zod';
import { messageOf } from '../errors.js';
import type { Logger } from '../telemetry.js';
import type { createAdmission } from './admission.js';
import type { Authenticate, Identity } from './authenticate.js';
import { callerKey } from './caller.js';
import type { CallerLimits } from './caller-limits.js';
import type { RequestContext } from './context.js';
import type { Deadline } from './deadline.js';
import { EventStreamConnection } from './event-stream-connection.js';
import { isForeign } from './foreign-origin.js';
import type { MeterCache } from './meter-cache.js';
import { withCode } from './prepared-documents.js';
import { countRefusal } from './refusals.js';
import { subscribeWithin } from './subscribe.js';

/** Open streams of one process; a client behind a proxy has one for each operation. */
const MAX_STREAMS = 10_000;

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  // nginx would hold events back until its buffer is full.
  'x-accel-buffering': 'no',
};

const Request = z.object({
  query: z.string().optional(),
  documentId: z.string().optional(),
  extensions: z.record(z.string(), z.unknown()).nullish(),
  operationName: z.string().nullish(),
  variables: z.record(z.string(), z.unknown()).nullish(),
});

export interface EventStreamOptions {
  path: string;
  schema: GraphQLSchema;
  /** Called for each operation. */
  createContext: (identity: Identity, source: string | undefined) => RequestContext;
  authenticate: Authenticate;
  formatError: (error: unknown) => GraphQLFormattedError;
  admit: ReturnType<typeof createAdmission>;
  limits: CallerLimits;
  /** Of queries and mutations. */
  deadline: Deadline;
  meters: MeterCache;
  log: Logger;
}

/**
 * Serves all operations by the distinct connections mode of GraphQL over SSE, for clients that cannot have a WebSocket.
 * @returns a function that ends every stream
 */
export function addEventStream(app: FastifyInstance, options: EventStreamOptions): () => void {
  const open = new Set<EventStreamConnection>();

  app.route({
    method: ['GET', 'POST'],
    url: options.path,
    handler: async (request, reply) => {
      if (isForeign(request.raw)) return refuse(reply, 403, 'The page is one of another site.');
      if (!accepts(request.raw)) return refuse(reply, 406, 'This path answers with text/event-stream: accept it.');
      const isPost = request.method === 'POST';
      // A form of another site cannot send it without asking first.
      if (isPost && !request.headers['content-type']?.startsWith('application/json'))
        return refuse(reply, 415, 'Send the operation as application/json.');
      const tooMany = options.limits.request(callerKey(request.raw));
      if (tooMany) {
        void reply.header('retry-after', tooMany.retryAfterSeconds);
        return reply.code(429).send({ errors: [options.formatError(tooMany.error)] });
      }
      if (open.size >= MAX_STREAMS) countRefusal('connections');
      if (open.size >= MAX_STREAMS) return refuse(reply, 503, `${MAX_STREAMS} streams are open; try again later.`);
      const operation = Request.safeParse(isPost ? request.body : fromQuery(request.query));
      if (!operation.success) {
        const issue = operation.error.issues[0]!;
        return refuse(reply, 400, `${issue.path.join('.') || 'The request'}: ${issue.message}`);
      }

      reply.hijack();
      const response = reply.raw;
      response.writeHead(200, { ...reply.getHeaders(), ...HEADERS } as Record<string, string>);
      response.flushHeaders();
      const connection = new EventStreamConnection(response);
      open.add(connection);
      response.once('close', () => open.delete(connection));
      try {
        await serve(operation.data, request, connection, isPost, options);
      } catch (error) {
        if (!(error instanceof GraphQLError)) options.log.debug({ reason: messageOf(error) }, 'a stream failed');
        connection.next({ errors: [options.formatError(error)] });
      }
      connection.complete();
    },
  });
  return () => {
    for (const connection of open) connection.close();
  };
}

async function serve(
  named: z.infer<typeof Request>,
  request: FastifyRequest,
  connection: EventStreamConnection,
  isPost: boolean,
  { schema, authenticate, createContext, formatError, admit, limits, deadline, meters }: EventStreamOptions,
): Promise<void> {
  const identity = await authenticate(request.headers.authorization);
  const { operationName, variables } = named;
  const admitted = admit(named);
  if (!('document' in admitted)) return connection.next({ errors: admitted.map(formatError) });
  const { document, operation, cost } = admitted;
  if (operation.operation === OperationTypeNode.MUTATION && !isPost)
    throw withCode(new GraphQLError('Send mutations with POST.'), 'BAD_REQUEST');
  const lastEventId = request.headers['last-event-id'];
  const contextValue: RequestContext = {
    ...createContext(identity, request.ip),
    ...(typeof lastEventId === 'string' && lastEventId !== '' && { resumeAfter: lastEventId }),
  };
  const args = { schema, document, operationName, variableValues: variables, contextValue };
  const send = ({ errors, ...result }: Awaited<ReturnType<typeof execute>>) =>
    connection.next({ ...result, ...(errors && { errors: errors.map(formatError) }) });
  if (operation.operation !== OperationTypeNode.SUBSCRIPTION) {
    const result = await deadline(() => execute(args));
    return send({ ...result, extensions: { cost } });
  }

  const caller = callerKey(request.raw);
  const results = await subscribeWithin(limits, caller, args, connection.outlet, { meters, formatError });
  if (!(Symbol.asyncIterator in results)) return send(results);
  const end = () => void results.return();
  connection.onClose(end);
  for await (const result of results) {
    send(result);
    if (connection.full) await connection.drained();
  }
}

function accepts({ headers }: IncomingMessage): boolean {
  return headers.accept === undefined || /text\/event-stream|text\/\*|\*\/\*/.test(headers.accept);
}

/** In a URL variables are JSON. */
function fromQuery(query: unknown): unknown {
  if (typeof query !== 'object' || query === null) return query;
  const { variables, ...rest } = query as Record<string, unknown>;
  if (typeof variables !== 'string' || variables === '') return rest;
  try {
    return { ...rest, variables: JSON.parse(variables) as unknown };
  } catch {
    return { ...rest, variables: 'no JSON' };
  }
}

function refuse(reply: FastifyReply, status: number, message: string): FastifyReply {
  return reply.code(status).send({ errors: [{ message, extensions: { code: 'BAD_REQUEST' } }] });
}
