import { isUuid } from '../domain/uuid.js';
import { InputError } from '../errors.js';

export interface PageRequest {
  readonly first?: number | null;
  readonly after?: string | null;
}

export interface PageLimits {
  /** Size of a page when `first` is not given. */
  readonly usual: number;
  readonly most: number;
}

export const NODE_PAGE: PageLimits = { usual: 50, most: 500 };

/** The size of a page; throws `BAD_USER_INPUT` when `first` is outside 1 to `most`. */
export function pageSize(first: number | null | undefined, { usual, most }: PageLimits): number {
  const size = first ?? usual;
  if (size < 1 || size > most) {
    throw new InputError('BAD_USER_INPUT', `first must be from 1 to ${most}; read on with after for more.`, 'first');
  }
  return size;
}

/** Where a page of nodes begins and how long it is. */
export interface PagePosition<After = string> {
  readonly size: number;
  /** Id of the last node before the page, or what else its place is known by. */
  readonly after: After | undefined;
}

/** Checks size and cursor of a page of nodes. */
export function positionOf({ first, after }: PageRequest): PagePosition {
  return { size: pageSize(first, NODE_PAGE), after: after == null ? undefined : idOfCursor(after) };
}

export const cursorOf = (id: string): string => Buffer.from(id, 'latin1').toString('base64url');

/** As `positionOf`, for nodes whose place is several keys: `keyOf` takes what `keyCursor` wrote, or undefined to refuse it. */
export function positionByKey<K>(
  { first, after }: PageRequest,
  keyOf: (values: readonly unknown[]) => K | undefined,
): PagePosition<K> {
  const size = pageSize(first, NODE_PAGE);
  if (after == null) return { size, after: undefined };
  const key = keyOf(valuesOfCursor(after));
  if (key === undefined) throw wrongCursor();
  return { size, after: key };
}

/** The cursor of a node whose place is these keys. */
export function keyCursor(...keys: readonly string[]): string {
  return Buffer.from(JSON.stringify(keys), 'utf8').toString('base64url');
}

/** What a cursor of several keys holds; empty for any other. */
export function valuesOfCursor(cursor: string): readonly unknown[] {
  try {
    const values: unknown = JSON.parse(Buffer.from(cursor.slice(0, 4_000), 'base64url').toString('utf8'));
    return Array.isArray(values) ? values : [];
  } catch {
    return [];
  }
}

export function idOfCursor(cursor: string): string {
  const id = Buffer.from(cursor.slice(0, 100), 'base64url').toString('latin1');
  if (!isUuid(id)) throw wrongCursor();
  return id;
}

export function wrongCursor(): InputError {
  return new InputError('BAD_USER_INPUT', 'after must be a cursor that an earlier page gave.', 'after');
}

/**
 * A page in the shape of a Relay connection, found by key and not by offset: deep pages cost what the first one does,
 * and rows that come or go meanwhile neither repeat nor hide another. The whole is counted only when it is asked for.
 */
export class Page<T extends { readonly id: string }> {
  readonly nodes: T[];
  private readonly hasNextPage: boolean;

  /**
   * @param rows one row more than the page holds when there is a next page
   * @param more whether there is one, where `rows` does not tell
   */
  constructor(
    rows: readonly T[],
    private readonly position: PagePosition<unknown>,
    private readonly count: () => Promise<number>,
    private readonly cursor: (node: T) => string = ({ id }) => cursorOf(id),
    more: boolean = rows.length > position.size,
  ) {
    this.nodes = rows.slice(0, position.size);
    this.hasNextPage = more;
  }

  get edges(): { cursor: string; node: T }[] {
    return this.nodes.map((node) => ({ cursor: this.cursor(node), node }));
  }

  get pageInfo() {
    const [start, end] = [this.nodes.at(0), this.nodes.at(-1)];
    return {
      hasNextPage: this.hasNextPage,
      hasPreviousPage: this.position.after !== undefined,
      startCursor: start ? this.cursor(start) : null,
      endCursor: end ? this.cursor(end) : null,
    };
  }

  get totalCount(): Promise<number> {
    return this.count();
  }
}
