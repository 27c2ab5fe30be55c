import { Migrator } from '@mikro-orm/migrations';
import { MikroORM, type Options, type PostgreSqlDriver } from '@mikro-orm/postgresql';
import pg from 'pg';
import { migrations } from '../../entities/migrations/index.js';
import { StartupError } from '../errors.js';
import { connectionOptions, databaseUnavailable } from './database.js';
import { ormOptions } from './orm.js';
import { ensureUpcomingPartitions } from './partitions.js';

/** Any number of processes may migrate at once: the first does the work, the others wait and find it done. */
const MIGRATION_LOCK = 7_265_001;

/**
 * Brings the schema up to date, forward only, and makes the partitions of the months ahead.
 * @returns the names of the migrations applied now
 */
export async function migrate(databaseUrl: string): Promise<string[]> {
  const lock = new pg.Client({
    ...connectionOptions(databaseUrl, 'migrate'),
    options: '-c timezone=UTC',
    query_timeout: 0,
  });
  lock.on('error', () => undefined); // the query fails too
  // Waits for another process's migrations, however long.
  await lock.connect().catch((error: unknown) => {
    throw databaseUnavailable(databaseUrl, error);
  });
  try {
    await lock.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const applied = await withMigrator(databaseUrl, async (migrator) => (await migrator.up()).map(({ name }) => name));
    await ensureUpcomingPartitions(lock);
    return applied;
  } finally {
    await lock.end();
  }
}

/** Throws `StartupError` when migrations are waiting: workers do not run on a schema they were not built for. */
export async function requireCurrentSchema(databaseUrl: string): Promise<void> {
  const pending = await withMigrator(databaseUrl, async (migrator) =>
    (await migrator.getPendingMigrations()).map(({ name }) => name),
  );
  if (pending.length > 0) {
    throw new StartupError(`The database lacks ${pending.join(', ')}. Run \`amr migrate\` once, then start again.`);
  }
}

async function withMigrator<T>(databaseUrl: string, work: (migrator: Migrator) => Promise<T>): Promise<T> {
  const options: Options = {
    ...ormOptions(databaseUrl),
    extensions: [Migrator],
    migrations: {
      migrationsList: migrations,
      tableName: 'schema_migration',
      snapshot: false,
      allOrNothing: true,
      silent: true,
    },
  };
  const orm = await MikroORM.init<PostgreSqlDriver>(options);
  try {
    return await work(orm.getMigrator<Migrator>());
  } finally {
    await orm.close(true);
  }
}
