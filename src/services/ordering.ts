import { OrderDirection } from '../domain/orderings.js';
import { parseInstant } from '../domain/instant.js';
import { isUuid } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import { cursorOf, idOfCursor, pageSize, NODE_PAGE, valuesOfCursor, type PageRequest } from './page.js';
import type { SqlParameters } from './sql.js';

/** What a list can be ordered by: a column, or the id, which rises with the time of creation. */
export type OrderKey =
  'id' | { readonly column: string; readonly type: 'text' | 'timestamptz' | 'int'; readonly nullable?: true };
export type Orderings<Field extends string = string> = Readonly<Record<Field, OrderKey>>;

/** What a request asks for. */
export interface OrderBy<Field extends string = string> {
  field: Field;
  direction?: OrderDirection | null;
}

/** A row of a list: its id, and as text what it is ordered by. */
export interface KeyedRow {
  readonly id: string;
  readonly key: string | null;
}

interface Place {
  readonly key: string | null;
  readonly id: string;
}

const CHECKS = {
  text: (text: string) => !text.includes('\0') && !/\p{Surrogate}/u.test(text),
  timestamptz: (text: string) => parseInstant(text.replace(/\+00$/, 'Z')) !== undefined && !text.startsWith('0000'),
  int: (text: string) => /^-?\d{1,9}$/.test(text),
};

/**
 * The order of one list, by a key and then the id: no two rows are in the same place, so that a page goes on exactly behind
 * the last one whatever came, went, or is equal. Cursors carry the order, and are of no use in another.
 */
export class Ordering {
  readonly #key: OrderKey;
  readonly #name: string | undefined;
  readonly direction: OrderDirection;

  /** @param usual direction by id where nothing is asked for; its cursors are ids alone */
  constructor(orderings: Orderings, orderBy: OrderBy | null | undefined, usual: OrderDirection = OrderDirection.ASC) {
    this.direction = orderBy ? (orderBy.direction ?? OrderDirection.ASC) : usual;
    this.#key = orderBy ? orderings[orderBy.field]! : 'id';
    this.#name = orderBy ? `${orderBy.field} ${this.direction.toUpperCase()}` : undefined;
  }

  /** Size and beginning of a page; throws `BAD_USER_INPUT` for a cursor of another order. */
  positionOf({ first, after }: PageRequest) {
    return { size: pageSize(first, NODE_PAGE), after: after == null ? undefined : this.placeOf(after) };
  }

  cursorOf({ key, id }: KeyedRow): string {
    if (this.#name === undefined) return cursorOf(id);
    const values = this.#key === 'id' ? [this.#name, id] : [this.#name, key, id];
    return Buffer.from(JSON.stringify(values), 'utf8').toString('base64url');
  }

  /** The key of a row, as text. */
  keySql(alias: string): string {
    return this.#key === 'id' ? 'null' : `${alias}.${this.#key.column}::text`;
  }

  orderSql(alias: string): string {
    const direction = this.direction;
    if (this.#key === 'id') return `${alias}.id ${direction}`;
    const { column, nullable } = this.#key;
    // Only where there can be any: an index is read backwards without it.
    return `${alias}.${column} ${direction}${nullable ? ' nulls last' : ''}, ${alias}.id ${direction}`;
  }

  /** Condition of rows behind a place. */
  behindSql(alias: string, { key, id }: Place, parameters: SqlParameters): string {
    const sign = this.direction === OrderDirection.ASC ? '>' : '<';
    const afterId = () => `${alias}.id ${sign} ${parameters.add(id)}::uuid`;
    if (this.#key === 'id') return afterId();
    const column = `${alias}.${this.#key.column}`;
    if (key === null) return `${column} is null and ${afterId()}`;
    const pair = `(${column}, ${alias}.id) ${sign} (${parameters.add(key)}::${this.#key.type}, ${parameters.add(id)}::uuid)`;
    return this.#key.nullable ? `(${pair} or ${column} is null)` : pair;
  }

  private placeOf(cursor: string): Place {
    const values = valuesOfCursor(cursor);
    const [name] = values;
    if (this.#name === undefined) {
      if (typeof name === 'string') throw otherOrder(name, 'the usual order');
      return { key: null, id: idOfCursor(cursor) };
    }
    // The cursor of the usual order is an id.
    if (values.length === 0) {
      idOfCursor(cursor);
      throw otherOrder('the usual order', this.#name);
    }
    if (name !== this.#name) throw otherOrder(String(name), this.#name);
    const [key, id] = this.#key === 'id' ? [null, values[1]] : [values[1], values[2]];
    if (typeof id !== 'string' || !isUuid(id) || !this.isKey(key)) throw otherOrder('no order', this.#name);
    return { key, id };
  }

  private isKey(key: unknown): key is string | null {
    if (this.#key === 'id') return true;
    if (key === null) return this.#key.nullable === true;
    return typeof key === 'string' && CHECKS[this.#key.type](key);
  }
}

function otherOrder(cursor: string, asked: string): InputError {
  return new InputError(
    'BAD_USER_INPUT',
    `after is a cursor of ${cursor.slice(0, 60)}, and the list is asked for in ${asked}. Give the orderBy of the page it came from, or begin anew without after.`,
    'after',
  );
}
