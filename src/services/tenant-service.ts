import {
  ForeignKeyConstraintViolationException,
  LockMode,
  UniqueConstraintViolationException,
  type EntityClass,
  type FilterQuery,
} from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import type { TenantEntity } from '../../entities/base.js';
import type { Database } from '../db/database.js';
import { isUuid } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import { recordAuditIn } from './audit.js';
import { auditedFields, changedFields, type Fields } from './audited-fields.js';
import { notFound, requireUuid } from './input.js';
import { keySetPage, type ListRequest } from './key-set.js';
import type { Orderings } from './ordering.js';
import type { Page } from './page.js';
import { requireUnused, type Uses } from './uses.js';
import { requireVersion } from './version.js';

export interface NamedEntity extends TenantEntity {
  name: string;
}

/** What a change says besides its fields. */
export interface Edit {
  readonly id: string;
  readonly expectedVersion?: number | null;
  /** The name it is to have, where that is given: it may be taken. */
  readonly name?: string;
}

export interface Deletion {
  readonly id: string;
  readonly expectedVersion?: number | null;
  /** Removes what refers to it as well. */
  readonly force?: boolean | null;
}

/** What deleting a row of one kind means. */
export interface Removal<T> {
  /** What would break. */
  readonly uses: (em: SqlEntityManager, row: T) => Promise<Uses>;
  /** Takes the links to it away, in its transaction, when it is deleted by force; returns what the audit is to tell. */
  readonly unlink?: (em: SqlEntityManager, row: T) => Promise<Fields>;
}

/**
 * What all kinds of managed rows have in common. Nothing is found, changed or deleted outside its organization, and nothing
 * changes without an audit entry in the same transaction.
 */
export abstract class TenantService<T extends NamedEntity> {
  protected constructor(
    protected readonly database: Database,
    private readonly type: EntityClass<T>,
    /** Name of the kind in messages, as in the API. */
    private readonly kind: string,
    private readonly orderings: Orderings,
  ) {}

  /** The rows that exist, in no particular order; unknown ids are left out. */
  async byIds(organizationId: string, ids: readonly string[]): Promise<T[]> {
    const where = { id: { $in: ids.filter(isUuid) }, organization: organizationId };
    return this.reader().find(this.type, where as FilterQuery<T>);
  }

  /** A page of the rows that meet all conditions, oldest first unless asked otherwise. */
  protected list(list: ListRequest): Promise<Page<T>> {
    return keySetPage(this.database, { table: this.metadata.tableName, orderings: this.orderings }, list, (ids) =>
      this.byIds(list.organizationId, ids),
    );
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

  /** Saves the row that `work` makes. */
  protected insert(
    organizationId: string,
    name: string | undefined,
    work: (em: SqlEntityManager) => Promise<T>,
  ): Promise<T> {
    return this.change(name, async (em) => {
      const row = await work(em);
      await em.persist(row).flush();
      await this.audit(em, organizationId, 'create', row.id, { after: given(this.fieldsOf(row)) });
      return row;
    });
  }

  /** Changes the row, locked until the transaction ends; throws `NOT_FOUND`, and `CONFLICT` for another version than expected. */
  protected edit(
    organizationId: string,
    { id, expectedVersion, name }: Edit,
    work: (em: SqlEntityManager, row: T) => Promise<unknown>,
    lists: readonly (keyof T & string)[] = [],
  ): Promise<T> {
    return this.change(name, async (em) => {
      const row = await this.locked(em, organizationId, id);
      requireVersion(`${this.kind} ${JSON.stringify(row.name)}`, row.version, expectedVersion);
      if (lists.length > 0) await em.populate(row, lists as never);
      const before = this.fieldsOf(row);
      await work(em, row);
      // Touched in any case, so that a change of its lists alone is a new version as well.
      row.updatedAt = new Date();
      await em.flush();
      await this.audit(em, organizationId, 'update', row.id, changedFields(before, this.fieldsOf(row)));
      return row;
    });
  }

  /** The row, locked until the transaction ends; throws `NOT_FOUND`. */
  protected async locked(em: SqlEntityManager, organizationId: string, id: string): Promise<T> {
    requireUuid(this.kind, id, 'input.id');
    const where = { id, organization: organizationId } as unknown as FilterQuery<T>;
    const row = await em.findOne(this.type, where, { lockMode: LockMode.PESSIMISTIC_WRITE });
    if (!row) throw notFound(this.kind, id, 'input.id');
    return row;
  }

  /** Deletes the row. One in use is a `CONFLICT` that says what would break, or is deleted with its links by force. */
  protected async remove(
    organizationId: string,
    { id, expectedVersion, force }: Deletion,
    { uses, unlink }: Removal<T>,
  ): Promise<{ id: string }> {
    return this.change(undefined, async (em) => {
      const row = await this.locked(em, organizationId, id);
      const name = `${this.kind} ${JSON.stringify(row.name)}`;
      requireVersion(name, row.version, expectedVersion);
      const used = await uses(em, row);
      requireUnused(name, used, force ?? false);
      const unlinked = used.links.length > 0 && unlink ? await unlink(em, row) : {};
      await em.nativeDelete(this.type, { id: row.id } as unknown as FilterQuery<T>);
      await this.audit(em, organizationId, 'delete', row.id, {
        before: given({ ...this.fieldsOf(row), ...unlinked }),
        ...(used.links.length > 0 && { after: { force: true } }),
      });
      return { id: row.id };
    });
  }

  protected audit(
    em: SqlEntityManager,
    organization: string,
    verb: string,
    subjectId: string,
    { before, after }: { before?: Fields; after?: Fields },
  ): Promise<void> {
    const action = `${verb}${this.kind}`;
    return recordAuditIn(em, { organization, action, subjectType: this.kind, subjectId, before, after });
  }

  protected fieldsOf(row: T): Fields {
    return auditedFields(row, this.metadata);
  }

  private get metadata() {
    return this.database.orm.getMetadata().get(this.type.name);
  }

  /** A unit of work of its own: nothing is shared between requests. */
  private reader(): SqlEntityManager {
    return this.database.orm.em.fork();
  }
}

/** What of a row that comes or goes is worth telling: what is not empty. */
function given(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
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
