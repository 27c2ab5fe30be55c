import { LRUCache } from 'lru-cache';
import type pg from 'pg';
import type { Role } from '../domain/enums.js';
import { messageOf } from '../errors.js';
import type { Broker, Consumer } from '../messaging/broker.js';
import { ControlMessage, decode } from '../messaging/contracts.js';
import type { Logger } from '../telemetry.js';
import { digestOfToken, isTokenSecret } from '../token-secret.js';

/** How old a look at a token may be; a revocation that nobody heard of is seen after twice this time at most. */
const MAX_AGE_MS = 30_000;
const MAX_CACHED = 10_000;
/** Most tokens looked at again, or written, by one statement. */
const CHUNK = 1_000;

/** A token that is good for something now. */
export interface VerifiedToken {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly organizationId: string;
  /** Root fields of the API it is good for. Null: all that its role allows. */
  readonly scopes: readonly string[] | null;
  /** Milliseconds since the epoch; null: never. */
  readonly expiresAt: number | null;
  /** Aborts when the token is revoked, or its organization is made inactive; within a minute when it expires. */
  readonly revoked: AbortSignal;
}

type TokenRow = Omit<VerifiedToken, 'revoked'>;

export interface TokenVerifierOptions {
  pool: pg.Pool;
  broker: Pick<Broker, 'listen'>;
  log: Logger;
}

/**
 * Recognises API tokens. A look at the database serves for half a minute; a revocation counts at once, by a broadcast,
 * and where that is lost at the next look. When tokens were used is written in batches.
 */
export class TokenVerifier {
  private readonly cache: LRUCache<string, TokenRow>;
  /** Those seen here and still good: as many as the organizations have, which is bounded. */
  private readonly watched = new Map<string, AbortController>();
  private readonly revoked = new LRUCache<string, true>({ max: MAX_CACHED });
  private used = new Map<string, number>();
  private readonly timer: NodeJS.Timeout;
  private listener: Consumer | undefined;
  private upkeep: Promise<void> | undefined;

  private constructor(private readonly options: TokenVerifierOptions) {
    const { pool } = options;
    // One look serves all requests that wait for it; a failed one is not kept.
    this.cache = new LRUCache<string, TokenRow>({
      max: MAX_CACHED,
      ttl: MAX_AGE_MS,
      fetchMethod: (digest) => findToken(pool, digest),
    });
    this.timer = setInterval(() => void this.keepUp(), MAX_AGE_MS);
    this.timer.unref();
  }

  static async start(options: TokenVerifierOptions): Promise<TokenVerifier> {
    const verifier = new TokenVerifier(options);
    verifier.listener = await options.broker.listen(
      'amr.control',
      (body) => {
        const decoded = decode(ControlMessage, body);
        if (decoded.ok && decoded.message.type === 'tokens_revoked') verifier.forget(decoded.message.tokens);
      },
      () => {
        verifier.cache.clear();
        void verifier.keepUp();
      },
    );
    return verifier;
  }

  /** The token that `secret` is; undefined when it is none, has expired or was revoked. */
  async verify(secret: string): Promise<VerifiedToken | undefined> {
    if (!isTokenSecret(secret)) return undefined;
    const token = await this.cache.fetch(digestOfToken(secret));
    // Asked after the look: a revocation may have overtaken it.
    if (token === undefined || this.revoked.has(token.id)) return undefined;
    if (token.expiresAt !== null && token.expiresAt <= Date.now()) return undefined;
    this.used.set(token.id, Date.now());
    let watch = this.watched.get(token.id);
    if (watch === undefined) this.watched.set(token.id, (watch = new AbortController()));
    return { ...token, revoked: watch.signal };
  }

  /** Looks at the tokens in use again, and writes when they were used. */
  keepUp(): Promise<void> {
    return (this.upkeep ??= this.lookAgain().finally(() => (this.upkeep = undefined)));
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.listener?.drain();
    await this.upkeep;
    await this.writeUsed().catch((error: unknown) => this.warn(error));
  }

  private forget(ids: readonly string[]): void {
    for (const id of ids) this.revoked.set(id, true);
    this.end(ids);
  }

  private end(ids: readonly string[]): void {
    for (const id of ids) {
      this.watched.get(id)?.abort();
      this.watched.delete(id);
    }
  }

  private async lookAgain(): Promise<void> {
    try {
      const ids = [...this.watched.keys()];
      for (let from = 0; from < ids.length; from += CHUNK) {
        const { rows } = await this.options.pool.query<{ id: string }>(
          `select t.id from unnest($1::uuid[]) as t(id)
            where not exists (select from api_token a join organization o on o.id = a.organization_id
                               where a.id = t.id and a.revoked_at is null and o.is_active
                                 and (a.expires_at is null or a.expires_at > now()))`,
          [ids.slice(from, from + CHUNK)],
        );
        this.end(rows.map(({ id }) => id));
      }
      await this.writeUsed();
    } catch (error) {
      this.warn(error);
    }
  }

  /** A token that many servers see is written once a minute all the same. */
  private async writeUsed(): Promise<void> {
    const used = [...this.used];
    this.used = new Map();
    for (let from = 0; from < used.length; from += CHUNK) {
      const part = used.slice(from, from + CHUNK);
      await this.options.pool.query(
        `update api_token a set last_used_at = u.at
           from unnest($1::uuid[], $2::timestamptz[]) as u(id, at)
          where a.id = u.id and (a.last_used_at is null or a.last_used_at <= u.at - interval '1 minute')`,
        [part.map(([id]) => id), part.map(([, at]) => new Date(at))],
      );
    }
  }

  private warn(error: unknown): void {
    this.options.log.warn({ err: messageOf(error) }, 'tokens in use could not be looked at again; trying later');
  }
}

/** The token with this digest that is good for something now. */
export async function findToken(pool: pg.Pool, digest: string): Promise<TokenRow | undefined> {
  const { rows } = await pool.query<Omit<TokenRow, 'expiresAt'> & { expiresAt: Date | null }>(
    `select a.id, a.name, a.role, a.scopes, a.organization_id as "organizationId", a.expires_at as "expiresAt"
       from api_token a join organization o on o.id = a.organization_id
      where a.digest = $1 and a.revoked_at is null and o.is_active
        and (a.expires_at is null or a.expires_at > now())`,
    [digest],
  );
  const row = rows[0];
  return row && { ...row, expiresAt: row.expiresAt?.getTime() ?? null };
}
