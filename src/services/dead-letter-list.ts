import { DeadLetter } from '../../entities/index.js';
import type { Database } from '../db/database.js';
import { DeadLetterState } from '../domain/enums.js';
import { OrderDirection, type DeadLetterOrderField } from '../domain/orderings.js';
import { isUuid } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import { parseJson } from '../messaging/contracts.js';
import type { Conditions } from './conditions.js';
import { keySetPage } from './key-set.js';
import type { OrderBy, Orderings } from './ordering.js';
import { pageSize, type Page, type PageRequest } from './page.js';

/** Conditions that must all hold. `from` and `to` bound when a letter was last seen, `to` excluded. */
export interface DeadLetterSelection {
  ids?: string[] | null;
  queue?: string | null;
  fingerprint?: string | null;
  states?: readonly DeadLetterState[] | null;
  reasonContains?: string | null;
  from?: Date | null;
  to?: Date | null;
}

const ORDERINGS: Orderings<DeadLetterOrderField> = {
  FIRST_SEEN_AT: 'id',
  LAST_SEEN_AT: { column: 'last_seen_at', type: 'timestamptz' },
};

/** Open letters that failed in the same way. */
export interface DeadLetterGroup {
  readonly queue: string;
  readonly fingerprint: string;
  readonly count: number;
  readonly readings: string;
  readonly occurrences: string;
  readonly firstSeenAt: Date;
  readonly lastSeenAt: Date;
  readonly reason: string;
  /** Id of the newest letter. */
  readonly newest: string;
}

const GROUPS = { usual: 50, most: 500 };
/** Bytes of bodies that are read for one operation at once. */
const MAX_BODIES = 16 * 1024 * 1024;
/** Larger bodies are not parsed. */
const MAX_PARSED = 256 * 1024;

/** Messages that could not be processed, as they are looked at. */
export class DeadLetterService {
  constructor(private readonly database: Database) {}

  /** The letters that exist, without their bodies; unknown ids are left out. */
  async byIds(organizationId: string, ids: readonly string[]): Promise<DeadLetter[]> {
    return this.reader().find(DeadLetter, { id: { $in: ids.filter(isUuid) }, organization: organizationId });
  }

  /** A page of letters, newest first unless asked otherwise, without their bodies. */
  page(
    organizationId: string,
    request: PageRequest,
    selection: DeadLetterSelection,
    orderBy?: OrderBy<DeadLetterOrderField> | null,
  ): Promise<Page<DeadLetter>> {
    const where = (conditions: Conditions) =>
      conditions
        .ids('t.id', selection.ids)
        .equals('t.queue', selection.queue)
        .equals('t.fingerprint', selection.fingerprint)
        .oneOf('t.state', selection.states)
        .contains('t.reason', selection.reasonContains)
        .between('t.last_seen_at', selection.from, selection.to);
    return keySetPage(
      this.database,
      { table: 'dead_letter', orderings: ORDERINGS, usual: OrderDirection.DESC },
      { organizationId, request, orderBy, where },
      (ids) => this.byIds(organizationId, ids),
    );
  }

  /** Letters by what is wrong with them, last seen first. */
  async groups(
    organizationId: string,
    {
      queue,
      states,
      first,
    }: { queue?: string | null; states?: readonly DeadLetterState[] | null; first?: number | null },
  ): Promise<DeadLetterGroup[]> {
    const { rows } = await this.database.pool.query<DeadLetterGroup>(
      `select g.*, d.queue, d.reason
       from (
         select fingerprint, count(*)::int as count, sum(reading_count) as readings, sum(occurrences) as occurrences,
           min(first_seen_at) as "firstSeenAt", max(last_seen_at) as "lastSeenAt", max(id::text)::uuid as newest
         from dead_letter where organization_id = $1 and state = any($2) and ($3::text is null or queue = $3)
         group by fingerprint order by max(last_seen_at) desc, fingerprint limit $4) g
       join dead_letter d on d.id = g.newest order by g."lastSeenAt" desc, g.fingerprint`,
      [organizationId, states ?? [DeadLetterState.DEAD], queue ?? null, pageSize(first, GROUPS)],
    );
    return rows;
  }

  /** Bodies as they are kept: without secrets. Throws `LIMIT_EXCEEDED` when they are more than 16 MB together. */
  async bodies(organizationId: string, ids: readonly string[]): Promise<Map<string, Buffer>> {
    const letters = [organizationId, ids];
    const sizes = await this.database.pool.query<{ bytes: string }>(
      'select coalesce(sum(octet_length(body)), 0) as bytes from dead_letter where organization_id = $1 and id = any($2::uuid[])',
      letters,
    );
    if (Number(sizes.rows[0]!.bytes) > MAX_BODIES) {
      throw new InputError(
        'LIMIT_EXCEEDED',
        `The bodies of these ${ids.length} dead letters are more than ${MAX_BODIES} bytes. Ask for fewer at once: size tells how large each is.`,
      );
    }
    const { rows } = await this.database.pool.query<{ id: string; body: Buffer }>(
      'select id, body from dead_letter where organization_id = $1 and id = any($2::uuid[])',
      letters,
    );
    return new Map(rows.map(({ id, body }) => [id, body]));
  }

  private reader() {
    return this.database.orm.em.fork();
  }
}

/** Whether a body is small enough to be shown parsed. */
export function isParsed({ size, cut }: Pick<DeadLetter, 'size' | 'cut'>): boolean {
  return !cut && size < MAX_PARSED;
}

/** The object in a body; null for anything else. */
export function messageIn(body: Buffer): Record<string, unknown> | null {
  try {
    const value = parseJson(body);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
