import { HeaderMap, type ApolloServer, type HTTPGraphQLRequest, type HTTPGraphQLResponse } from '@apollo/server';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { InputError } from '../errors.js';
import { callerKey } from './caller.js';
import type { CallerLimits } from './caller-limits.js';
import type { RequestContext } from './context.js';
import type { Deadline } from './deadline.js';
import type { PersistedOperations } from './persisted-operations.js';
import { limitExceeded } from './refusals.js';

export interface HttpDoorOptions {
  path: string;
  apollo: ApolloServer<RequestContext>;
  createContext: (request: FastifyRequest) => Promise<RequestContext> | RequestContext;
  formatError: (error: unknown) => GraphQLFormattedError;
  limits: CallerLimits;
  persisted: PersistedOperations;
  deadline: Deadline;
}

const MODERN = 'application/graphql-response+json';
const CLASSIC = 'application/json';

/** GraphQL over HTTP: what surrounds Apollo's execution is here, in the order it is checked. */
export function addHttpDoor(app: FastifyInstance, options: HttpDoorOptions): void {
  const { path, apollo, createContext, formatError, limits, persisted, deadline } = options;

  const refuse = (request: FastifyRequest, reply: FastifyReply, error: unknown, status = statusOf(error)) =>
    reply
      .code(status)
      .type(`${accepts(request, MODERN) ? MODERN : CLASSIC}; charset=utf-8`)
      .send(JSON.stringify({ errors: [formatError(error)] }));

  app.route({
    method: ['GET', 'POST'],
    url: path,
    handler: async (request, reply) => {
      const tooMany = limits.request(callerKey(request.raw));
      if (tooMany) {
        void reply.header('retry-after', tooMany.retryAfterSeconds);
        return refuse(request, reply, tooMany.error, 429);
      }
      let answer: HTTPGraphQLResponse;
      try {
        const httpGraphQLRequest = withDocument(request, persisted);
        const context = async () => createContext(request);
        answer = await deadline(() => apollo.executeHTTPGraphQLRequest({ httpGraphQLRequest, context }));
      } catch (error) {
        return refuse(request, reply, error);
      }
      for (const [name, value] of answer.headers) void reply.header(name, value);
      // Incremental delivery is not part of this schema, so that every answer is whole.
      if (answer.body.kind !== 'complete') throw new Error('an answer in parts has no place here');
      return reply.code(statusFor(request, answer, answer.body.string)).send(answer.body.string);
    },
  });
}

/** The request as Apollo takes it, with the document of a persisted operation in its place. */
function withDocument(request: FastifyRequest, persisted: PersistedOperations): HTTPGraphQLRequest {
  const headers = new HeaderMap();
  for (const [name, value] of Object.entries(request.headers))
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  const query = request.url.indexOf('?');
  const search = query < 0 ? '' : request.url.slice(query);
  const plain = { method: request.method, headers, search, body: request.body };
  if (request.method === 'GET') return { ...plain, search: searchWithDocument(search, persisted) };

  const { body } = request;
  if (Array.isArray(body))
    throw limitExceeded('batch', 'One request carries one operation; send the operations of this list one by one.');
  if (typeof body !== 'object' || body === null) return plain;
  const document = persisted.documentOf(body);
  if (document === undefined) return plain;
  const { documentId: _documentId, extensions, ...rest } = body as Record<string, unknown>;
  return {
    ...plain,
    body: { ...rest, query: document, ...(extensions !== undefined && { extensions: unnamed(extensions) }) },
  };
}

function searchWithDocument(search: string, persisted: PersistedOperations): string {
  const parameters = new URLSearchParams(search);
  const [documentId, text] = [parameters.get('documentId') ?? undefined, parameters.get('extensions')];
  const extensions = text === null ? undefined : jsonOf(text);
  const document = persisted.documentOf({ query: parameters.get('query'), documentId, extensions });
  // What is given twice, or is no JSON, is Apollo's to refuse.
  const isNamed = documentId !== undefined || typeof extensions === 'object';
  if (document === undefined || !isNamed) return search;
  parameters.set('query', document);
  parameters.delete('documentId');
  if (typeof extensions === 'object') parameters.set('extensions', JSON.stringify(unnamed(extensions)));
  return `?${parameters.toString()}`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Without the name of the persisted operation, which Apollo would look up again. */
function unnamed(extensions: unknown): unknown {
  if (typeof extensions !== 'object' || extensions === null || Array.isArray(extensions)) return extensions;
  const { persistedQuery: _persistedQuery, ...rest } = extensions as Record<string, unknown>;
  return rest;
}

function statusOf(error: unknown): number {
  if (error instanceof GraphQLError) {
    const { status } = (error.extensions['http'] ?? {}) as { status?: number };
    return status ?? 500;
  }
  if (!(error instanceof InputError)) return 500;
  return error.code === 'TIMEOUT' ? 503 : 400;
}

/** Codes of documents and variables that are wrong, in well-formed requests. */
const WRONG_DOCUMENT: ReadonlySet<unknown> = new Set([
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'BAD_USER_INPUT',
  'LIMIT_EXCEEDED',
  'OPERATION_RESOLUTION_FAILURE',
]);

/**
 * "GraphQL over HTTP", 6.4.1: a client that asks for application/json is told of a wrong document with status 200, as it
 * would take another status for a failure of the server or of something before it.
 */
function statusFor(request: FastifyRequest, { status = 200, headers }: HTTPGraphQLResponse, body: string): number {
  if (status !== 400 || !accepts(request, CLASSIC) || headers.get('content-type')?.startsWith(MODERN)) return status;
  const { errors = [] } = JSON.parse(body) as { errors?: GraphQLFormattedError[] };
  return errors.length > 0 && errors.every(({ extensions }) => WRONG_DOCUMENT.has(extensions?.['code'])) ? 200 : status;
}

/** Whether the client names the media type; a wildcard does not. */
function accepts(request: FastifyRequest, mediaType: string): boolean {
  return (request.headers.accept ?? '')
    .split(',')
    .some((part) => part.split(';')[0]!.trim().toLowerCase() === mediaType);
}
