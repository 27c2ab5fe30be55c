import { connect } from 'amqplib';
import pg from 'pg';
import { sqlState } from '../db/errors.js';
import { migrate } from '../db/migrate.js';
import { databaseUnavailable, describeUrl } from '../db/database.js';
import { instantOfUuid, uuidAt } from '../domain/uuid.js';
import { StartupError } from '../errors.js';
import { DEAD_QUEUES, EXCHANGES, TOPICS, WORK_QUEUES, type QueueName } from '../messaging/topology.js';
import { own } from './owned.js';

/** What scratch databases and queues are made for; part of their names. */
export type Purpose = 'bench' | 'compare';

/** Queues of one run; nothing of them remains. */
export interface ScratchQueues {
  amqpUrl: string;
  queuePrefix: string;
  /** Messages that wait in a queue for a consumer. */
  depth(queue: QueueName): Promise<number>;
  dispose(): Promise<void>;
}

/** A database and queues of one run; nothing of them remains. */
export interface Scratch extends ScratchQueues {
  databaseUrl: string;
}

/** The servers that scratch databases and queues are made on. */
export interface Servers {
  databaseUrl: string;
  amqpUrl: string;
}

/** Held by the run on its own database: one whose lock is free belongs to nobody any more. */
const RUN_LOCK = 7_265_090;
/** Between making a database and locking it there is a moment. */
const YOUNG_MS = 60_000;
const PATIENCE_MS = 10_000;
const KEPT = 'kept on request: drop it when it is of no use any more';

/** DATABASE_URL and AMQP_URL, or the usual loopback services. */
function usualServers(): Servers {
  return {
    databaseUrl: process.env['DATABASE_URL'] ?? 'postgresql://postgres@127.0.0.1:5432/postgres',
    amqpUrl: process.env['AMQP_URL'] ?? 'amqp://guest:guest@127.0.0.1:5672',
  };
}

/** The queues are made by whoever connects. */
export function createScratchQueues(
  purpose: Purpose,
  { amqpUrl }: Pick<Servers, 'amqpUrl'> = usualServers(),
  { id = uuidAt(), keep = false } = {},
): ScratchQueues {
  const queuePrefix = `${purpose}-${id}.`;
  const depth = async (queue: QueueName) => {
    const connection = await connect(amqpUrl);
    const channel = await connection.createChannel();
    const { messageCount } = await channel.checkQueue(queuePrefix + queue);
    await connection.close();
    return messageCount;
  };
  const dispose = keep ? () => Promise.resolve() : own(() => deleteQueues(amqpUrl, queuePrefix));
  return { amqpUrl, queuePrefix, depth, dispose };
}

/**
 * A migrated database and queues that are gone when it is disposed of. Throws a `StartupError` where the user may not
 * make databases. `keep` leaves both behind, marked so that no later run takes them for left-overs.
 */
export async function createScratch(
  purpose: Purpose,
  servers: Servers = usualServers(),
  { keep = false } = {},
): Promise<Scratch> {
  const id = uuidAt();
  const name = databaseName(purpose, id);
  const databaseUrl = Object.assign(new URL(servers.databaseUrl), { pathname: `/${name}` }).href;
  const holder = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: PATIENCE_MS });
  holder.on('error', () => undefined);
  const dropDatabase = own(async () => {
    await created.catch(() => undefined); // else it would be made after it was dropped
    await holder.end().catch(() => undefined);
    if (!keep) await administer(servers.databaseUrl, `drop database if exists ${name} with (force)`);
  });
  const created = (async () => {
    await administer(servers.databaseUrl, `create database ${name}`);
    await holder.connect();
    await holder.query('select pg_advisory_lock($1)', [RUN_LOCK]);
    if (keep) await holder.query(`comment on database ${name} is '${KEPT}'`);
  })();
  await created.catch((error: unknown) => {
    if (sqlState(error) !== '42501') throw error;
    const user = decodeURIComponent(new URL(servers.databaseUrl).username) || 'of DATABASE_URL';
    throw new StartupError(
      `The user ${user} may not create databases at ${describeUrl(servers.databaseUrl)}, and the work is done in one that is dropped afterwards. ` +
        `Allow it as an administrator: alter role "${user}" createdb; or set DATABASE_URL to a test server.`,
    );
  });
  await migrate(databaseUrl);
  const queues = createScratchQueues(purpose, servers, { id, keep });
  return {
    ...queues,
    databaseUrl,
    dispose: async () => {
      await dropDatabase();
      await queues.dispose();
    },
  };
}

/** Removes databases and queues of runs that were killed. Returns the names of the databases. */
export async function removeLeftOvers(purpose: Purpose, servers: Servers, now = Date.now()): Promise<string[]> {
  const names = await administer<{ name: string }>(
    servers.databaseUrl,
    `select datname as name from pg_database
     where datname like '${databaseName(purpose, '').replaceAll('_', '\\_')}%' and pg_has_role(datdba, 'usage')
       and shobj_description(oid, 'pg_database') is distinct from '${KEPT}'`,
  );
  const removed: string[] = [];
  for (const { name } of names) {
    const id = name.slice(-32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    const bornAt = instantOfUuid(id);
    if (bornAt === undefined || now - bornAt < YOUNG_MS || (await isHeld(servers.databaseUrl, name))) continue;
    await administer(servers.databaseUrl, `drop database if exists ${name} with (force)`);
    await deleteQueues(servers.amqpUrl, `${purpose}-${id}.`);
    removed.push(name);
  }
  return removed;
}

async function isHeld(server: string, name: string): Promise<boolean> {
  const url = Object.assign(new URL(server), { pathname: `/${name}` }).href;
  try {
    const [row] = await administer<{ free: boolean }>(url, `select pg_try_advisory_lock(${RUN_LOCK}) as free`);
    return !row!.free;
  } catch (error) {
    if (sqlState(error) === '3D000') return true; // its run has just removed it
    throw error;
  }
}

function databaseName(purpose: Purpose, id: string): string {
  return `amr_${purpose}_${id.replaceAll('-', '')}`;
}

async function deleteQueues(amqpUrl: string, prefix: string): Promise<void> {
  const connection = await connect(amqpUrl, { timeout: PATIENCE_MS });
  try {
    const channel = await connection.createChannel();
    for (const queue of [...WORK_QUEUES, ...DEAD_QUEUES]) await channel.deleteQueue(prefix + queue);
    for (const exchange of [...EXCHANGES, ...TOPICS]) await channel.deleteExchange(prefix + exchange);
  } finally {
    await connection.close();
  }
}

async function administer<R extends pg.QueryResultRow>(server: string, statement: string): Promise<R[]> {
  const client = new pg.Client({ connectionString: server, connectionTimeoutMillis: PATIENCE_MS });
  try {
    await client.connect();
  } catch (error) {
    throw sqlState(error) === '3D000' ? error : databaseUnavailable(server, error);
  }
  try {
    return (await client.query<R>(statement)).rows;
  } finally {
    await client.end();
  }
}
