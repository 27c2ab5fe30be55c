import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { GraphQLError, parse } from 'graphql';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { messageOf, StartupError } from '../errors.js';
import type { ApiSettings } from './api-settings.js';
import * as own from './generated/graphql.js';
import { MAX_TOKENS } from './limits.js';
import { countRefusal } from './refusals.js';

/** Characters of documents that clients registered by their hash; those not used for longest are forgotten. */
const MAX_REGISTERED_CHARACTERS = 4_000_000;

/** How a request names its operation, in any door. Not yet checked. */
export interface OperationName {
  readonly query?: unknown;
  /** Id of a persisted operation. */
  readonly documentId?: unknown;
  readonly extensions?: unknown;
}

const PersistedQuery = z.object({ version: z.literal(1), sha256Hash: z.string().min(1).max(200) });

/**
 * Operations known by a name: those of AMR_OPERATIONS_FILE by their id, and those that clients registered by the SHA-256 of
 * their text (Apollo's automatic persisted queries). With AMR_ONLY_PERSISTED_OPERATIONS=on those of the file are all there is.
 */
export class PersistedOperations {
  private readonly registered = new LRUCache<string, string>({
    maxSize: MAX_REGISTERED_CHARACTERS,
    sizeCalculation: (text) => text.length + 100,
  });
  private readonly allowed: ReadonlySet<string>;

  private constructor(
    private readonly byId: ReadonlyMap<string, string>,
    private readonly isOnly: boolean,
  ) {
    this.allowed = new Set([...byId.values(), ...ownDocuments()]);
  }

  /** @throws StartupError when the file cannot be used */
  static async load({ operationsFile, onlyPersistedOperations }: ApiSettings): Promise<PersistedOperations> {
    if (operationsFile === undefined) {
      if (onlyPersistedOperations)
        throw new StartupError(
          'AMR_ONLY_PERSISTED_OPERATIONS=on needs AMR_OPERATIONS_FILE: without it nobody could ask for anything.',
        );
      return new PersistedOperations(new Map(), false);
    }
    return new PersistedOperations(await readOperations(operationsFile), onlyPersistedOperations);
  }

  /**
   * The document a request asks for; undefined when it brings none.
   * @throws GraphQLError with a code and, for HTTP, a status
   */
  documentOf({ query, documentId, extensions }: OperationName): string | undefined {
    const text = typeof query === 'string' && query !== '' ? query : undefined;
    const named = persistedQueryOf(extensions);
    if (typeof documentId === 'string') return this.byId.get(documentId) ?? notFound();
    if (named === undefined) return text === undefined ? undefined : this.checked(text);
    if (text === undefined) return this.byId.get(named) ?? this.registered.get(named) ?? notFound();
    if (createHash('sha256').update(text).digest('hex') !== named)
      throw refusal('BAD_USER_INPUT', 'provided sha does not match query', 400);
    this.checked(text);
    this.registered.set(named, text);
    return text;
  }

  private checked(text: string): string {
    if (!this.isOnly || this.allowed.has(text)) return text;
    countRefusal('persisted');
    throw refusal(
      'PERSISTED_QUERY_ONLY',
      'This server carries out persisted operations only: ask with the id of one, or have this one added to AMR_OPERATIONS_FILE.',
      403,
    );
  }
}

/** Those of the command line, which must keep working. */
function ownDocuments(): string[] {
  return Object.values(own).flatMap((item) => (item instanceof own.TypedDocumentString ? item.toString() : []));
}

/** The hash in the form of Apollo's clients; undefined when the request has none. */
function persistedQueryOf(extensions: unknown): string | undefined {
  if (typeof extensions !== 'object' || extensions === null || !('persistedQuery' in extensions)) return undefined;
  const parsed = PersistedQuery.safeParse(extensions.persistedQuery);
  if (parsed.success) return parsed.data.sha256Hash;
  throw refusal(
    'BAD_USER_INPUT',
    'extensions.persistedQuery must be {"version": 1, "sha256Hash": "…"}: other versions are not known.',
    400,
  );
}

/** In the words that Apollo's clients look for; they then send the document along. */
function notFound(): never {
  throw refusal('PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound', 200);
}

function refusal(code: string, message: string, status: number): GraphQLError {
  return new GraphQLError(message, { extensions: { code, http: { status } } });
}

async function readOperations(file: string): Promise<Map<string, string>> {
  const fail = (reason: string): never => {
    throw new StartupError(
      `AMR_OPERATIONS_FILE=${file} cannot be used: ${reason}. It holds a JSON object from id to GraphQL document.`,
    );
  };
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    return fail(messageOf(error));
  }
  const parsed = z.record(z.string().min(1).max(200), z.string()).safeParse(content);
  if (!parsed.success) return fail(`${parsed.error.issues[0]!.path.join('.')}: ${parsed.error.issues[0]!.message}`);
  for (const [id, document] of Object.entries(parsed.data)) {
    try {
      parse(document, { maxTokens: MAX_TOKENS });
    } catch (error) {
      return fail(`the document of ${id} is wrong: ${messageOf(error)}`);
    }
  }
  return new Map(Object.entries(parsed.data));
}
