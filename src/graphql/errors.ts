import { randomUUID } from 'node:crypto';
import { GraphQLError, Kind, type GraphQLFormattedError } from 'graphql';
import { QueryScope } from '../db/query-scope.js';
import { InputError } from '../errors.js';
import type { Logger } from '../telemetry.js';
import { MAX_TOKENS } from './limits.js';
import { countRefusal } from './refusals.js';

/**
 * What a client sees of an error, the same over HTTP and WebSocket. What it can act on passes with its code: an
 * `InputError`, a wrong document or variable, any GraphQL error that carries a code. The rest is a fault of ours:
 * `INTERNAL_SERVER_ERROR` with an id that the log has too, nothing else of it leaves the process.
 */
export function formatError(error: unknown, log: Logger): GraphQLFormattedError {
  const outer = error instanceof GraphQLError ? error : undefined;
  const place = { ...(outer?.locations && { locations: outer.locations }), ...(outer?.path && { path: outer.path }) };
  const chain = [...causes(error)];

  // What fails after an operation was stopped, fails because of that.
  const stopped = QueryScope.current()?.endedBy;
  const input = chain.find((cause) => cause instanceof InputError) ?? (stopped instanceof InputError && stopped);
  if (input) {
    return {
      message: input.message,
      ...place,
      extensions: { code: input.code, ...(input.field && { field: input.field }) },
    };
  }
  if (outer && isTokenLimit(outer)) {
    countRefusal('tokens');
    return {
      message: `The document has more than ${MAX_TOKENS} tokens. Ask in several requests, and give values as variables.`,
      ...place,
      extensions: { code: 'LIMIT_EXCEEDED' },
    };
  }
  if (!outer?.path && chain.some(isStackOverflow)) {
    countRefusal('depth');
    const message = 'The document is nested too deep to be read. Give values as variables, and ask in several steps.';
    return { message, ...place, extensions: { code: 'LIMIT_EXCEEDED' } };
  }
  const coded = chain.findLast((cause) => cause instanceof GraphQLError && isClientCode(cause.extensions['code']));
  if (coded instanceof GraphQLError) {
    return { message: (outer ?? coded).message, ...place, extensions: publicExtensions(coded) };
  }
  if (outer && isRequestError(outer, chain)) {
    return { message: outer.message, ...place, extensions: { code: 'BAD_USER_INPUT' } };
  }
  const id = randomUUID();
  log.error({ err: chain.at(-1), errorId: id, path: outer?.path?.join('.') }, 'an operation failed');
  return {
    message: `Internal server error; the log has details under ${id}.`,
    ...place,
    extensions: { code: 'INTERNAL_SERVER_ERROR', id },
  };
}

/** graphql has no code for it: a syntax error at the token where parsing stopped. */
function isTokenLimit({ message }: GraphQLError): boolean {
  return message === `Syntax Error: Document contains more that ${MAX_TOKENS} tokens. Parsing aborted.`;
}

/** Of the parser, before anything was carried out: it calls itself for each bracket. */
function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes('call stack');
}

/** The error and what it was made from, outermost first. */
function* causes(error: unknown): Generator<unknown> {
  for (let at = error; at !== undefined; at = at instanceof GraphQLError ? at.originalError : undefined) yield at;
}

function isClientCode(code: unknown): boolean {
  return typeof code === 'string' && code !== 'INTERNAL_SERVER_ERROR';
}

/** HTTP status and stack trace are for the server. */
function publicExtensions({ extensions }: GraphQLError): Record<string, unknown> {
  const { http: _http, stacktrace: _stacktrace, ...rest } = extensions;
  return rest;
}

/** Raised before any resolver ran: by graphql itself, or by a scalar that refused a variable. */
function isRequestError(outer: GraphQLError, chain: readonly unknown[]): boolean {
  if (outer.path) return false;
  return outer.nodes?.[0]?.kind === Kind.VARIABLE_DEFINITION || chain.every((cause) => cause instanceof GraphQLError);
}
