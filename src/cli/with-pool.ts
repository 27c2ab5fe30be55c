import type pg from 'pg';
import type { Config } from '../config.js';
import { StartupError } from '../errors.js';

/** Runs `work` on the database of DATABASE_URL, whose schema must be current. */
export async function withPool(config: Config, name: string, work: (pool: pg.Pool) => Promise<void>): Promise<void> {
  const url = config.databaseUrl;
  if (url === undefined) {
    throw new StartupError('DATABASE_URL is not set. Set it to postgresql://user:password@host:5432/database.');
  }
  const [{ openDatabase }, { requireCurrentSchema }, { createLogger }] = await Promise.all([
    import('../db/database.js'),
    import('../db/migrate.js'),
    import('../telemetry.js'),
  ]);
  const database = await openDatabase(url, name, createLogger(config, name));
  try {
    await requireCurrentSchema(url);
    await work(database.pool);
  } finally {
    await database.close();
  }
}
