import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { pino } from 'pino';
import { inject } from 'vitest';
import { openDatabase, type Database } from '../../src/db/database.js';
import { migrate } from '../../src/db/migrate.js';

export interface TestDatabase {
  readonly database: Database;
  readonly url: string;
  /** Closes `database` and removes it from the server. */
  drop(): Promise<void>;
}

/** A migrated database of its own for one test file, so that files run side by side. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = inject('databaseUrl');
  if (!server) throw new Error('This suite needs PostgreSQL: set DATABASE_URL.');
  const name = `amr_test_${randomUUID().replaceAll('-', '')}`;
  await administer(server, `create database ${name}`);
  const remove = () => administer(server, `drop database if exists ${name} with (force)`);
  const url = Object.assign(new URL(server), { pathname: `/${name}` }).href;
  try {
    await migrate(url);
    const database = await openDatabase(url, 'test', pino({ level: 'silent' }));
    return {
      database,
      url,
      drop: async () => {
        await database.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function administer(server: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
