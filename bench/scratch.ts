import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import pg from 'pg';
import { migrate } from '../src/db/migrate.js';
import { DEAD_QUEUES, EXCHANGES, WORK_QUEUES } from '../src/messaging/topology.js';

/** A database and queues of one benchmark run; nothing of them remains. */
export interface Scratch {
  databaseUrl: string;
  amqpUrl: string;
  queuePrefix: string;
  dispose(): Promise<void>;
}

/** On DATABASE_URL and AMQP_URL, or the usual loopback services. */
export async function createScratch(): Promise<Scratch> {
  const server = process.env['DATABASE_URL'] ?? 'postgresql://postgres@127.0.0.1:5432/postgres';
  const amqpUrl = process.env['AMQP_URL'] ?? 'amqp://guest:guest@127.0.0.1:5672';
  const name = `amr_bench_${randomUUID().replaceAll('-', '')}`;
  const queuePrefix = `bench-${randomUUID()}.`;
  await administer(server, `create database ${name}`);
  const databaseUrl = Object.assign(new URL(server), { pathname: `/${name}` }).href;
  await migrate(databaseUrl);
  return {
    databaseUrl,
    amqpUrl,
    queuePrefix,
    dispose: async () => {
      await administer(server, `drop database if exists ${name} with (force)`);
      const connection = await connect(amqpUrl);
      const channel = await connection.createChannel();
      for (const queue of [...WORK_QUEUES, ...DEAD_QUEUES]) await channel.deleteQueue(queuePrefix + queue);
      for (const exchange of EXCHANGES) await channel.deleteExchange(queuePrefix + exchange);
      await connection.close();
    },
  };
}

async function administer(server: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
