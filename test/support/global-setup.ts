import { connect } from 'node:net';
import pg from 'pg';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** An administrative connection: each test file makes its own database through it. Undefined when there is no PostgreSQL. */
    databaseUrl: string | undefined;
    /** A RabbitMQ, or undefined: suites then run on the in-process broker, or say that they did not run. */
    amqpUrl: string | undefined;
  }
}

const LOOPBACK_DATABASES = [
  'postgresql://postgres@127.0.0.1:5432/postgres',
  'postgresql://postgres:postgres@127.0.0.1:5432/postgres',
];
const LOOPBACK_BROKER = 'amqp://guest:guest@127.0.0.1:5672';

/** Finds the services that the suites run on, once, and says which they are. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stops: (() => Promise<void>)[] = [];
  const broker = process.env['AMQP_URL'] ?? ((await answers(5672)) ? LOOPBACK_BROKER : undefined);
  let database = process.env['DATABASE_URL'] ?? (await firstThatConnects(LOOPBACK_DATABASES));
  let databaseNote = 'PostgreSQL at ' + (database ? new URL(database).host : '');
  if (!database) {
    const { startScratchPostgres } = await import('./scratch-postgres.js');
    const scratch = await startScratchPostgres();
    stops.push(scratch.stop);
    database = scratch.url;
    databaseNote = 'an embedded PostgreSQL, as none answers on loopback (set DATABASE_URL to use another)';
  }
  project.provide('databaseUrl', database);
  project.provide('amqpUrl', broker);
  console.log(`Integration and system suites use ${databaseNote}.`);
  console.log(
    broker
      ? `Broker suites use RabbitMQ at ${new URL(broker).host} and the in-process broker.`
      : 'No RabbitMQ answers on loopback: broker suites use the in-process broker only, and suites that need separate processes do not run. Set AMQP_URL to run them.',
  );
  return async () => {
    for (const stop of stops.reverse()) await stop();
  };
}

async function firstThatConnects(urls: readonly string[]): Promise<string | undefined> {
  for (const url of urls) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
    try {
      await client.connect();
      return url;
    } catch {
      // Not this one; the caller falls back to an embedded server.
    } finally {
      await client.end().catch(() => undefined);
    }
  }
  return undefined;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 2000 });
    const settle = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket
      .once('connect', () => settle(true))
      .once('error', () => settle(false))
      .once('timeout', () => settle(false));
  });
}
