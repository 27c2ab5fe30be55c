import type { SqlEntityManager } from '@mikro-orm/postgresql';
import type pg from 'pg';
import { withoutSecrets } from '../domain/secrets.js';
import { uuidAt } from '../domain/uuid.js';
import { currentRequest, type Caller } from './caller.js';

export type { Caller } from './caller.js';

export interface Audited extends Caller {
  readonly organization: string;
  /** What was done, where no request says it: name of the mutation or command. */
  readonly action: string;
  readonly subjectType: string;
  /** Absent where it is about several. */
  readonly subjectId?: string;
  /** What it was and what it became. Values under keys such as `password` are hidden. */
  readonly before?: unknown;
  readonly after?: unknown;
}

/**
 * Notes who did what, in the transaction that does it: the one is not without the other. Actor, source and action are
 * those of the request at hand, see `onBehalfOf`.
 */
export async function recordAudit(client: Pick<pg.ClientBase, 'query'>, audited: Audited): Promise<void> {
  await client.query(`${INSERT} values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, valuesOf(audited));
}

/** As `recordAudit`, in a transaction of the ORM. */
export async function recordAuditIn(em: SqlEntityManager, audited: Audited): Promise<void> {
  await em.execute(`${INSERT} values (?, ?, ?, ?, ?, ?, ?, ?, ?)`, valuesOf(audited));
}

const INSERT = `insert into audit_entry (id, organization_id, actor, source, action, subject_type, subject_id, before, after)`;

function valuesOf({ organization, subjectType, subjectId, before, after, ...given }: Audited): unknown[] {
  const request = currentRequest();
  return [
    uuidAt(),
    organization,
    given.actor ?? request.actor ?? 'anonymous',
    given.source ?? request.source ?? null,
    request.action ?? given.action,
    subjectType,
    subjectId ?? null,
    asJson(before),
    asJson(after),
  ];
}

/** Named like a secret, and none. */
const NO_SECRETS: ReadonlySet<string> = new Set(['credentialsRejectedAt']);

function asJson(value: unknown): string | null {
  if (value == null) return null;
  if (typeof value !== 'object' || Array.isArray(value)) return withoutSecrets(JSON.stringify(value)).text;
  const fields = Object.entries(value);
  const harmless = fields.filter(([name]) => NO_SECRETS.has(name));
  const rest = JSON.stringify(Object.fromEntries(fields.filter(([name]) => !NO_SECRETS.has(name))));
  const clean = withoutSecrets(rest).text;
  return harmless.length === 0
    ? clean
    : JSON.stringify({ ...(JSON.parse(clean) as object), ...Object.fromEntries(harmless) });
}
