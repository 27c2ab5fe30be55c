import type pg from 'pg';
import { z } from 'zod';
import { inTransaction, type Database } from '../db/database.js';
import { Role } from '../domain/enums.js';
import { uuidAt } from '../domain/uuid.js';
import { InputError, messageOf } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { encode, type ControlMessage } from '../messaging/contracts.js';
import type { Logger } from '../telemetry.js';
import { createTokenSecret, digestOfToken } from '../token-secret.js';
import { recordAudit, type Caller } from './audit.js';
import { enumeration, name, notFound, parseInput, requireUuid } from './input.js';
import { Page, positionOf, type PageRequest } from './page.js';

/** Tokens of one organization that are good for something: servers watch all that are used. */
const MAX_ACTIVE = 1_000;
const MAX_SCOPES = 100;

const scope = z.string({ error: 'must be the name of a query, mutation or subscription' });
const ApiTokenFields = z.object({
  name,
  role: enumeration(Role),
  scopes: z
    .array(scope, { error: 'must be a list of names' })
    .min(1, { error: 'must name at least one field; leave it out for all that the role allows' })
    .max(MAX_SCOPES, { error: `must have at most ${MAX_SCOPES} names` })
    .nullable()
    .default(null),
  expiresAt: z
    .date({ error: 'must be an instant' })
    .refine((at) => at.getTime() > Date.now(), { error: 'must lie in the future' })
    .nullable()
    .default(null),
});
export type CreateApiToken = z.input<typeof ApiTokenFields>;

/** A token without what it is recognised by. */
export interface ApiTokenRow {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** Null: all that its role allows. */
  readonly scopes: readonly string[] | null;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

/** A token just made. `secret` is nowhere else: it cannot be shown again. */
export interface NewApiToken {
  readonly apiToken: ApiTokenRow;
  readonly secret: string;
}

/** Who creates a token, and for what its own is good. */
export interface TokenCreator extends Caller {
  /** Absent: for all that its role allows. */
  readonly scopes?: readonly string[];
}

const UNIQUE_VIOLATION = '23505';
const COLUMNS = `id, name, role, scopes, created_at as "createdAt", expires_at as "expiresAt",
  last_used_at as "lastUsedAt", revoked_at as "revokedAt"`;

/** Keys to the API. */
export class ApiTokenService {
  constructor(
    private readonly database: Pick<Database, 'pool'>,
    /** Absent where none is at hand: servers then notice a revocation by themselves, within half a minute. */
    private readonly broker: Pick<Broker, 'broadcast'> | undefined,
    private readonly log: Logger,
  ) {}

  /** Oldest first, with those that are good for nothing any more. */
  async page(organizationId: string, request: PageRequest): Promise<Page<ApiTokenRow>> {
    const position = positionOf(request);
    const { pool } = this.database;
    const { rows } = await pool.query<ApiTokenRow>(
      `select ${COLUMNS} from api_token
        where organization_id = $1 and ($2::uuid is null or id > $2) order by id limit $3`,
      [organizationId, position.after ?? null, position.size + 1],
    );
    return new Page(rows, position, async () => {
      const { rows } = await pool.query<{ count: number }>(
        'select count(*)::int as count from api_token where organization_id = $1',
        [organizationId],
      );
      return rows[0]!.count;
    });
  }

  /** Throws `FORBIDDEN` where a creator with scopes gives more than it has. */
  async create(organizationId: string, input: CreateApiToken, creator: TokenCreator = {}): Promise<NewApiToken> {
    const { name, role, scopes, expiresAt } = parseInput(ApiTokenFields, input);
    forbidMore(scopes, creator.scopes);
    const secret = createTokenSecret();
    try {
      const apiToken = await inTransaction(this.database.pool, async (client) => {
        await requireRoom(client, organizationId);
        const { rows } = await client.query<ApiTokenRow>(
          `insert into api_token (id, organization_id, name, role, scopes, digest, expires_at)
           values ($1, $2, $3, $4, $5, $6, $7) returning ${COLUMNS}`,
          [uuidAt(), organizationId, name, role, scopes, digestOfToken(secret), expiresAt],
        );
        await recordAudit(client, {
          ...audited(organizationId, creator, 'createApiToken', rows[0]!.id),
          after: { name, role, scopes, expiresAt },
        });
        return rows[0]!;
      });
      return { apiToken, secret };
    } catch (error) {
      if ((error as { code?: unknown }).code !== UNIQUE_VIOLATION) throw error;
      throw new InputError(
        'CONFLICT',
        `There is already an API token named ${JSON.stringify(name)}, or was: audits name it. Choose another name.`,
        'input.name',
      );
    }
  }

  /** For good. Returns one that was revoked before as it is. */
  async revoke(organizationId: string, id: string, caller: Caller = {}): Promise<ApiTokenRow> {
    requireUuid('API token', id, 'input.id');
    const revoked = await inTransaction(this.database.pool, async (client) => {
      const { rows: found } = await client.query<ApiTokenRow>(
        `select ${COLUMNS} from api_token where organization_id = $1 and id = $2 for update`,
        [organizationId, id],
      );
      const token = found[0];
      if (!token) throw notFound('API token', id, 'input.id');
      if (token.revokedAt !== null) return token;
      const { rows } = await client.query<ApiTokenRow>(
        `update api_token set revoked_at = now(), updated_at = now() where id = $1 returning ${COLUMNS}`,
        [id],
      );
      const { name, role } = token;
      await recordAudit(client, {
        ...audited(organizationId, caller, 'revokeApiToken', id),
        before: { name, role },
      });
      return rows[0]!;
    });
    await this.tellServers(revoked.id);
    return revoked;
  }

  private async tellServers(id: string): Promise<void> {
    const message: ControlMessage = { type: 'tokens_revoked', tokens: [id] };
    try {
      await this.broker?.broadcast('amr.control', encode(message));
    } catch (error) {
      this.log.warn({ err: messageOf(error) }, 'a revocation was not announced; servers see it within half a minute');
    }
  }
}

const audited = (organization: string, { actor, source }: Caller, action: string, subjectId: string) =>
  ({ organization, actor, source, action, subjectType: 'ApiToken', subjectId }) as const;

async function requireRoom(client: pg.ClientBase, organizationId: string): Promise<void> {
  const { rows } = await client.query<{ active: number }>(
    `select count(*)::int as active from api_token
      where organization_id = $1 and revoked_at is null and (expires_at is null or expires_at > now())`,
    [organizationId],
  );
  const { active } = rows[0]!;
  if (active < MAX_ACTIVE) return;
  throw new InputError(
    'LIMIT_EXCEEDED',
    `The organization has ${active} tokens in use, of at most ${MAX_ACTIVE}. Revoke some first.`,
  );
}

/** Otherwise a token for one thing could make itself one for everything. */
function forbidMore(asked: readonly string[] | null, held: readonly string[] | undefined): void {
  if (held === undefined || asked?.every((name) => held.includes(name))) return;
  throw new InputError(
    'FORBIDDEN',
    `Your token is good for ${held.join(', ')} only, and cannot create one for more. Name scopes among these.`,
    'input.scopes',
  );
}
