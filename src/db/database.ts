import type { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import { messageOf, StartupError } from '../errors.js';
import type { Logger } from '../telemetry.js';
import { sqlState } from './errors.js';
import { openOrm } from './orm.js';
import { keepScopes, makeCancellable } from './query-scope.js';

/** An open database: the ORM for what people edit, a pool for set-based SQL. */
export interface Database {
  readonly url: string;
  readonly orm: MikroORM;
  readonly pool: pg.Pool;
  close(): Promise<void>;
}

/** Longest statement. The client waits a little longer, for the server's own word. */
const STATEMENT_TIMEOUT_MS = 60_000;

// Exactness: bigint and numeric stay text. `date` columns do not occur.
const TEXT_TYPES: ReadonlySet<number> = new Set([pg.types.builtins.INT8, pg.types.builtins.NUMERIC]);

function parserOf(oid: number, format: 'text' = 'text'): (value: string) => unknown {
  return TEXT_TYPES.has(oid) ? (value) => value : (pg.types.getTypeParser(oid, format) as (value: string) => unknown);
}

/** Options of every raw connection: UTC, named in pg_stat_activity, and no statement outlives its purpose. */
export function connectionOptions(url: string, name: string): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: `amr ${name}`,
    connectionTimeoutMillis: 10_000,
    // A connection that goes silent (a firewall, a moved machine) must not hold its user for ever.
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    query_timeout: STATEMENT_TIMEOUT_MS + 5_000,
    // Compiling a statement takes 200 ms, and none here is long enough to earn them back.
    options: '-c timezone=UTC -c lock_timeout=30000 -c jit=off',
    types: { getTypeParser: parserOf as typeof pg.types.getTypeParser },
  };
}

/**
 * Connects and checks that the server can be used. Throws `StartupError` naming the host and the cure.
 * @param name shown in `pg_stat_activity`, such as `ingester`
 */
export async function openDatabase(url: string, name: string, log: Logger): Promise<Database> {
  const pool = new pg.Pool({ ...connectionOptions(url, name), max: 10, statement_timeout: STATEMENT_TIMEOUT_MS });
  // An idle connection that the server ends is replaced at the next use; without a listener it would end the process.
  // A connection in use tells its user by failing the query; the event beside it would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  pool.on('connect', makeCancellable);
  keepScopes(pool);
  let closing = false;
  pool.on('error', (error) => {
    if (!closing) log.warn({ reason: messageOf(error) }, 'a database connection was lost; the next use opens another');
  });
  try {
    const { rows } = await pool.query<{ version: string }>(`select current_setting('server_version_num') as version`);
    const version = Number(rows[0]!.version);
    if (version < 150_000)
      throw new StartupError(`PostgreSQL ${Math.floor(version / 10_000)} is too old: 15 or newer is needed.`);
    const orm = await openOrm(url);
    return {
      url,
      orm,
      pool,
      close: async () => {
        closing = true;
        await orm.close(true);
        await pool.end();
      },
    };
  } catch (error) {
    await pool.end();
    throw databaseUnavailable(url, error);
  }
}

/** What to tell an operator when the database cannot be used; an error that says it already is passed on. */
export function databaseUnavailable(url: string, error: unknown): StartupError {
  if (error instanceof StartupError) return error;
  const missing = sqlState(error) === '3D000';
  const cure = missing
    ? `Create it: createdb ${new URL(url).pathname.slice(1)}`
    : 'Start it, or correct DATABASE_URL; without DATABASE_URL `amr up` starts an embedded one';
  return new StartupError(`No PostgreSQL can be used at ${describeUrl(url)}: ${messageOf(error)}. ${cure}.`);
}

/** Host, port and database of a URL, without user and password. */
export function describeUrl(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host || 'local socket'}${pathname}`;
}

/** Longest statement over a whole population, such as the runs of a slot with a million meters. */
const LONG_STATEMENT_MS = 600_000;

/**
 * One statement that may take minutes, where others end after one. Within a transaction, and nothing quick after it: what it
 * is allowed holds to the end of the transaction.
 */
export async function longQuery<R extends pg.QueryResultRow>(
  client: pg.ClientBase,
  text: string,
  values: readonly unknown[],
): Promise<pg.QueryResult<R>> {
  await client.query(`set local statement_timeout = ${LONG_STATEMENT_MS}`);
  const query = { text, values: [...values], query_timeout: LONG_STATEMENT_MS + 5_000 };
  return client.query<R>(query);
}

/** Runs `work` in one transaction on one connection; a throw rolls back. */
export async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((rollbackError: Error) => (broken = rollbackError));
    throw error;
  } finally {
    client.release(broken);
  }
}
