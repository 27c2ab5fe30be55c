import type { Database } from '../db/database.js';
import type { OrderDirection } from '../domain/orderings.js';
import { Conditions } from './conditions.js';
import { Ordering, type KeyedRow, type OrderBy, type Orderings } from './ordering.js';
import { Page, type PageRequest } from './page.js';
import { SqlParameters } from './sql.js';

/** A list of rows of one table, whose alias in conditions is `t`. */
export interface KeySet {
  readonly table: string;
  readonly orderings: Orderings;
  /** Direction by id where no order is asked for. */
  readonly usual?: OrderDirection;
}

export interface ListRequest {
  readonly organizationId: string;
  readonly request: PageRequest;
  readonly orderBy?: OrderBy | null;
  readonly where: (conditions: Conditions) => unknown;
}

/** A page of the rows that meet all conditions, in the order asked for. `load` reads the rows themselves by id. */
export async function keySetPage<T extends { readonly id: string }>(
  { pool }: Pick<Database, 'pool'>,
  { table, orderings, usual }: KeySet,
  { organizationId, request, orderBy, where }: ListRequest,
  load: (ids: readonly string[]) => Promise<readonly T[]>,
): Promise<Page<T>> {
  const ordering = new Ordering(orderings, orderBy, usual);
  const position = ordering.positionOf(request);
  const parameters = new SqlParameters();
  const conditions = new Conditions(parameters).id('t.organization_id', organizationId);
  where(conditions);
  const scope = { sql: conditions.sql, values: [...parameters.values] };
  const behind = position.after ? ` and ${ordering.behindSql('t', position.after, parameters)}` : '';
  const { rows } = await pool.query<KeyedRow>(
    `select t.id, ${ordering.keySql('t')} as key from ${table} t where ${scope.sql}${behind}
     order by ${ordering.orderSql('t')} limit ${parameters.add(position.size + 1)}`,
    parameters.values,
  );
  const keyed = rows.slice(0, position.size);
  const byId = new Map((await load(keyed.map(({ id }) => id))).map((row) => [row.id, row]));
  const cursors = new Map(keyed.map((row) => [row.id, ordering.cursorOf(row)]));
  return new Page<T>(
    // One that was deleted between the two statements is left out.
    keyed.flatMap(({ id }) => byId.get(id) ?? []),
    position,
    async () => {
      const counted = await pool.query<{ count: number }>(
        `select count(*)::int as count from ${table} t where ${scope.sql}`,
        scope.values,
      );
      return counted.rows[0]!.count;
    },
    ({ id }) => cursors.get(id)!,
    rows.length > position.size,
  );
}
