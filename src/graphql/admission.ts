import {
  getOperationAST,
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  specifiedRules,
  type DocumentNode,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type ValidationRule,
} from 'graphql';
import { messageOf } from '../errors.js';
import type { ApiSettings } from './api-settings.js';
import { costOf, type CostedOperation } from './cost.js';
import { sizeRule } from './limits.js';
import type { OperationName, PersistedOperations } from './persisted-operations.js';
import { PreparedDocuments, withCode } from './prepared-documents.js';
import { limitExceeded } from './refusals.js';

/** Of an answer, under `extensions.cost`. */
export interface Cost {
  readonly requested: number;
  readonly limit: number;
}

export interface OperationRequest extends OperationName {
  readonly operationName?: string | null;
  readonly variables?: Record<string, unknown> | null;
}

export interface AdmittedOperation {
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly cost: Cost;
}

/** What documents are checked for beyond the rules of GraphQL. */
export function validationRules({ apiMaxDepth, introspection }: ApiSettings): ValidationRule[] {
  return [sizeRule(apiMaxDepth), ...(introspection ? [] : [NoSchemaIntrospectionCustomRule])];
}

/** What an operation can cost. @throws InputError `LIMIT_EXCEEDED` when that is too much */
export function admitCost(costed: CostedOperation, limit: number): Cost {
  const requested = costOf(costed);
  if (requested <= limit) return { requested, limit };
  throw limitExceeded(
    'cost',
    `The operation can cost ${requested}; ${limit} is allowed. Ask for shorter pages (first), or for fewer lists in each other.`,
  );
}

/**
 * Checks operations for the doors that carry them out themselves (WebSocket, event streams), by the same rules as HTTP.
 * Wrong documents are returned as errors and not thrown: they end one operation, not the connection.
 */
export function createAdmission(schema: GraphQLSchema, settings: ApiSettings, persisted: PersistedOperations) {
  const documents = new PreparedDocuments(schema, [...specifiedRules, ...validationRules(settings)]);

  return (request: OperationRequest): AdmittedOperation | readonly GraphQLError[] => {
    try {
      const source = persisted.documentOf(request);
      if (source === undefined) return [coded('The request has no query.', 'BAD_REQUEST')];
      const document = documents.prepare(source);
      if (Array.isArray(document)) return document;
      const operation = getOperationAST(document, request.operationName);
      if (!operation) return [coded(whichOperation(request.operationName), 'OPERATION_RESOLUTION_FAILURE')];
      const variables = request.variables ?? undefined;
      const cost = admitCost({ schema, document, operation, variables }, settings.apiMaxCost);
      return { document, operation, cost };
    } catch (error) {
      return [error instanceof GraphQLError ? withCode(error, 'GRAPHQL_PARSE_FAILED') : asGraphQLError(error)];
    }
  };
}

function whichOperation(name: string | null | undefined): string {
  return name
    ? `The document has no operation named ${JSON.stringify(name)}.`
    : 'The document has several operations: say with operationName which one is meant.';
}

function coded(message: string, code: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } });
}

export function asGraphQLError(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) return error;
  return new GraphQLError(messageOf(error), {
    originalError: error instanceof Error ? error : new Error(messageOf(error)),
  });
}
