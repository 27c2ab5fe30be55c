import type pg from 'pg';
import { describeUrl, openDatabase, type Database } from './db/database.js';
import { requireCurrentSchema } from './db/migrate.js';
import { StartupError } from './errors.js';
import type { WorkerContext } from './lifecycle.js';
import type { Broker } from './messaging/broker.js';
import { connectBroker } from './messaging/connect-broker.js';

/** What the parts of one process share: in `amr up` all of them, in a worker of its own just that worker. */
export interface Resources {
  broker: Broker;
  database: Database;
}

/** Connects to the broker and closes it at the stop. An in-process broker serves one process only. */
export async function useBroker(context: WorkerContext): Promise<Broker> {
  const { config, log } = context;
  if (config.amqpUrl === 'memory:') {
    throw new StartupError(
      'AMQP_URL is not set. A worker of its own meets the others at RabbitMQ: set AMQP_URL=amqp://host:5672, or run everything in one process with `amr up`.',
    );
  }
  const broker = await connectBroker(config, log);
  context.onStop(() => broker.close());
  watchBroker(context, broker);
  return broker;
}

/** Opens the database, which must be migrated, and closes it at the stop. */
export async function useDatabase(context: WorkerContext, name: string): Promise<Database> {
  const { config, log } = context;
  if (config.databaseUrl === undefined) {
    throw new StartupError(
      'DATABASE_URL is not set. Set it to postgresql://user:password@host:5432/database, or run everything in one process with `amr up`.',
    );
  }
  const database = await openDatabase(config.databaseUrl, name, log);
  context.onStop(() => database.close());
  watchDatabase(context, database);
  await requireCurrentSchema(config.databaseUrl);
  return database;
}

export function watchBroker(context: WorkerContext, broker: Broker): void {
  context.ready('broker', async () => (broker.connected ? undefined : `not connected to ${broker.description}`));
}

export function watchDatabase(context: WorkerContext, database: Database): void {
  context.ready('database', async () => {
    const timeout = new Promise<string>((resolve) =>
      setTimeout(resolve, 1_000, `${describeUrl(database.url)} does not answer`).unref(),
    );
    // Its own time-out gives the connection back: frequent looks at a silent database would use up the pool.
    const look = database.pool.query({ text: 'select 1', query_timeout: 1_000 } as pg.QueryConfig);
    return Promise.race([timeout, look.then(() => undefined)]);
  });
}
