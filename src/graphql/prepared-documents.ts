import { GraphQLError, parse, validate, type DocumentNode, type GraphQLSchema, type ValidationRule } from 'graphql';
import { LRUCache } from 'lru-cache';
import { MAX_TOKENS } from './limits.js';

/** Characters of documents kept; parsed they take some thirty times as much. */
const MAX_KEPT = 500_000;

/** Documents of subscribers, parsed and validated: thousands that ask the same keep one between them. */
export class PreparedDocuments {
  readonly #valid = new LRUCache<string, DocumentNode>({
    maxSize: MAX_KEPT,
    sizeCalculation: (_document, query) => query.length + 1,
  });

  /** @param rules none may depend on variables */
  constructor(
    private readonly schema: GraphQLSchema,
    private readonly rules: readonly ValidationRule[],
  ) {}

  /** The document, or what is wrong with it, each error with its code. */
  prepare(query: string): DocumentNode | GraphQLError[] {
    const known = this.#valid.get(query);
    if (known) return known;
    let document: DocumentNode;
    try {
      document = parse(query, { maxTokens: MAX_TOKENS });
    } catch (error) {
      if (error instanceof GraphQLError) return [withCode(error, 'GRAPHQL_PARSE_FAILED')];
      throw error;
    }
    const errors = validate(this.schema, document, this.rules);
    if (errors.length > 0) return errors.map((error) => withCode(error, 'GRAPHQL_VALIDATION_FAILED'));
    this.#valid.set(query, document);
    return document;
  }
}

export function withCode(error: GraphQLError, code: string): GraphQLError {
  return new GraphQLError(error.message, {
    nodes: error.nodes,
    source: error.source,
    positions: error.positions,
    extensions: { code, ...error.extensions },
  });
}
