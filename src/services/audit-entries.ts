import type { Database } from '../db/database.js';
import { parseInstant } from '../domain/instant.js';
import { isUuid } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import { Conditions } from './conditions.js';
import { keyCursor, Page, positionByKey, type PageRequest } from './page.js';
import { SqlParameters } from './sql.js';

/** What somebody did. */
export interface AuditEntryRow {
  readonly id: string;
  readonly at: Date;
  readonly actor: string;
  readonly source: string | null;
  readonly action: string;
  readonly subjectType: string;
  readonly subjectId: string | null;
  readonly before: Record<string, unknown> | null;
  readonly after: Record<string, unknown> | null;
}

/** Conditions that must all hold. `from` and `to` bound `at`, `to` excluded. */
export interface AuditEntrySelection {
  actor?: string | null;
  action?: string | null;
  subjectType?: string | null;
  subjectId?: string | null;
  from?: Date | null;
  to?: Date | null;
}

/** Who did what. Entries are written by `recordAudit` alone, and never changed. */
export class AuditEntryService {
  constructor(private readonly database: Pick<Database, 'pool'>) {}

  /** Newest first, by the database's clock. */
  async page(
    organizationId: string,
    request: PageRequest,
    { actor, action, subjectType, subjectId, from, to }: AuditEntrySelection = {},
  ): Promise<Page<AuditEntryRow>> {
    if (from && to && from >= to) {
      throw new InputError('BAD_USER_INPUT', 'filter.from must be before filter.to.', 'filter.from');
    }
    const { pool } = this.database;
    const position = positionByKey(request, placeOf);
    const parameters = new SqlParameters();
    const scope = new Conditions(parameters)
      .id('organization_id', organizationId)
      .equals('actor', actor)
      .equals('action', action)
      .equals('subject_type', subjectType)
      .equals('subject_id', subjectId)
      .between('at', from, to).sql;
    const scoped = [...parameters.values];
    const behind = position.after
      ? ` and (at, id) < (${parameters.add(position.after.at)}::timestamptz, ${parameters.add(position.after.id)}::uuid)`
      : '';
    const { rows } = await pool.query<AuditEntryRow>(
      `select id, at, actor, source, action, subject_type as "subjectType", subject_id as "subjectId", before, after
       from audit_entry where ${scope}${behind} order by at desc, id desc limit ${parameters.add(position.size + 1)}`,
      parameters.values,
    );
    return new Page(
      rows,
      position,
      async () => {
        const counted = await pool.query<{ count: number }>(
          `select count(*)::int as count from audit_entry where ${scope}`,
          scoped,
        );
        return counted.rows[0]!.count;
      },
      ({ at, id }) => keyCursor(at.toISOString(), id),
    );
  }
}

function placeOf([at, id]: readonly unknown[]): { at: string; id: string } | undefined {
  if (typeof at !== 'string' || typeof id !== 'string') return undefined;
  return parseInstant(at) !== undefined && !at.startsWith('0000') && isUuid(id) ? { at, id } : undefined;
}
