import type pg from 'pg';
import { uuidAt } from '../domain/uuid.js';

/** Who asks, as far as it is known. */
export interface Caller {
  /** Name of the token or user. */
  readonly actor?: string;
  /** Address the request came from. */
  readonly source?: string;
}

export interface Audited extends Caller {
  readonly organization: string;
  /** Name of the mutation or command. */
  readonly action: string;
  readonly subjectType: string;
  /** Absent where it is about several. */
  readonly subjectId?: string;
  /** What it was and what it became: JSON without secrets. */
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Notes who did what, in the transaction that does it: the one is not without the other. */
export async function recordAudit(client: Pick<pg.ClientBase, 'query'>, audited: Audited): Promise<void> {
  const { organization, actor = 'anonymous', source, action, subjectType, subjectId, before, after } = audited;
  await client.query(
    `insert into audit_entry (id, organization_id, actor, source, action, subject_type, subject_id, before, after)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [uuidAt(), organization, actor, source, action, subjectType, subjectId, asJson(before), asJson(after)],
  );
}

const asJson = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));
