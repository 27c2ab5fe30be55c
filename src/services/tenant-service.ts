import {
  ForeignKeyConstraintViolationException,
  LockMode,
  UniqueConstraintViolationException,
  type EntityClass,
  type FilterQuery,
  type QueryOrderMap,
} from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import type { TenantEntity } from '../../entities/base.js';
import type { Database } from '../db/database.js';
import { isUuid } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import { notFound, requireUuid } from './input.js';
import { Page, positionOf, type PageRequest } from './page.js';

export interface NamedEntity extends TenantEntity {
  name: string;
}

/** What all kinds of managed rows have in common. Nothing is found, changed or deleted outside its organization. */
export abstract class TenantService<T extends NamedEntity> {
  protected constructor(
    protected readonly database: Database,
    private readonly type: EntityClass<T>,
    /** Name of the kind in messages, as in the API. */
    private readonly kind: string,
  ) {}

  /** The rows that exist, in no particular order; unknown ids are left out. */
  async byIds(organizationId: string, ids: readonly string[]): Promise<T[]> {
    const where = { id: { $in: ids.filter(isUuid) }, organization: organizationId };
    return this.reader().find(this.type, where as FilterQuery<T>);
  }

  /** A page of the rows that meet `where`, oldest first. */
  protected async pageWhere(
    organizationId: string,
    request: PageRequest,
    where: FilterQuery<T> = {},
  ): Promise<Page<T>> {
    const position = positionOf(request);
    const scope = { $and: [{ organization: organizationId }, where] } as FilterQuery<T>;
    const after = { id: { $gt: position.after } } as FilterQuery<T>;
    const rows = await this.reader().find(
      this.type,
      position.after === undefined ? scope : ({ $and: [scope, after] } as FilterQuery<T>),
      { orderBy: { id: 'asc' } as QueryOrderMap<T>, limit: position.size + 1 },
    );
    return new Page<T>(rows, position, () => this.reader().count(this.type, scope));
  }

  /** Runs `work` in one transaction. A name that is taken by then, also by a concurrent request, is a `CONFLICT`. */
  protected async change<R>(name: string | undefined, work: (em: SqlEntityManager) => Promise<R>): Promise<R> {
    try {
      return await this.reader().transactional((em) => work(em));
    } catch (error) {
      if (error instanceof UniqueConstraintViolationException && name !== undefined) {
        throw new InputError(
          'CONFLICT',
          `There is already ${article(this.kind)} ${this.kind} named ${JSON.stringify(name)}. Choose another name.`,
          'input.name',
        );
      }
      if (error instanceof ForeignKeyConstraintViolationException) {
        throw new InputError(
          'CONFLICT',
          `What this ${this.kind} refers to, or is used by, changed at the same moment. Read it again and retry.`,
        );
      }
      throw error;
    }
  }

  /** The row, locked until the transaction ends; throws `NOT_FOUND`. */
  protected async locked(em: SqlEntityManager, organizationId: string, id: string): Promise<T> {
    requireUuid(this.kind, id, 'input.id');
    const where = { id, organization: organizationId } as unknown as FilterQuery<T>;
    const row = await em.findOne(this.type, where, { lockMode: LockMode.PESSIMISTIC_WRITE });
    if (!row) throw notFound(this.kind, id, 'input.id');
    return row;
  }

  /** Deletes the row unless `refusal` gives a reason not to, which says what would break and what to do instead. */
  protected async remove(
    organizationId: string,
    id: string,
    refusal: (em: SqlEntityManager, row: T) => Promise<string | undefined>,
  ): Promise<{ id: string }> {
    return this.change(undefined, async (em) => {
      const row = await this.locked(em, organizationId, id);
      const reason = await refusal(em, row);
      if (reason) throw new InputError('CONFLICT', `${this.kind} ${JSON.stringify(row.name)} ${reason}`, 'input.id');
      await em.nativeDelete(this.type, { id } as unknown as FilterQuery<T>);
      return { id };
    });
  }

  /** A unit of work of its own: nothing is shared between requests. */
  private reader(): SqlEntityManager {
    return this.database.orm.em.fork();
  }
}

function article(noun: string): string {
  return /^[AEIOU]/.test(noun) ? 'an' : 'a';
}

/** The rows with `ids` in the order given; throws `NOT_FOUND` naming the first that does not exist and its place. */
export async function requireAll<T extends TenantEntity>(
  em: SqlEntityManager,
  type: EntityClass<T>,
  kind: string,
  organizationId: string,
  ids: readonly string[],
  field: string,
): Promise<T[]> {
  ids.forEach((id, index) => requireUuid(kind, id, `${field}.${index}`));
  const found = await em.find(type, { id: { $in: ids }, organization: organizationId } as FilterQuery<T>);
  const byId = new Map(found.map((row) => [row.id, row as T]));
  return ids.map((id, index) => {
    const row = byId.get(id.toLowerCase());
    if (!row) throw notFound(kind, id, `${field}.${index}`);
    return row;
  });
}

/** The row with `id`, or null for null; throws `NOT_FOUND` naming it. */
export async function requireOne<T extends TenantEntity>(
  em: SqlEntityManager,
  type: EntityClass<T>,
  kind: string,
  organizationId: string,
  id: string | null,
  field: string,
): Promise<T | null> {
  if (id === null) return null;
  requireUuid(kind, id, field);
  const row = await em.findOne(type, { id, organization: organizationId } as unknown as FilterQuery<T>);
  if (!row) throw notFound(kind, id, field);
  return row;
}

/** Number of rows that `sql`, a `select count(*) as count`, counts. */
export async function countRows(em: SqlEntityManager, sql: string, parameters: unknown[]): Promise<number> {
  const [row] = await em.execute<{ count: string }[]>(sql, parameters as never[]);
  return Number(row!.count);
}

/** The database's clock: slots and due times are never computed from a process's own. */
export async function databaseNow(em: SqlEntityManager): Promise<Date> {
  const [row] = await em.execute<{ ms: string }[]>('select floor(extract(epoch from now()) * 1000) as ms');
  return new Date(Number(row!.ms));
}
