import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { messageOf, StartupError } from '../errors.js';
import type { Logger } from '../telemetry.js';
import { takeFolder, writing } from './data-folder.js';
import { explainFailure } from './postgres-failure.js';
import {
  findPrograms,
  launcher,
  serverAccount,
  type Account,
  type Launch,
  type PostgresPrograms,
} from './postgres-programs.js';
import { commandOf } from './process-identity.js';
import { endForeign, ServerProcess } from './server-process.js';

const DATABASE = 'amr';
const USER = 'amr';
const HOST = '127.0.0.1';

const INITDB_TIMEOUT_MS = 60_000;
/** Long enough to replay the log after a crash. */
const START_TIMEOUT_MS = 120_000;
const PORT_TRIES = 5;

const SETTINGS = Object.entries({
  listen_addresses: HOST,
  // No socket file: in a common folder it could clash, in ours its path could exceed the 107 bytes a socket may have.
  unix_socket_directories: '',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Nobody replicates from it, so its log may be the smallest.
  wal_level: 'minimal',
  max_wal_senders: '0',
  // Compiling costs more than it saves for statements as short as ours.
  jit: 'off',
}).flatMap(([name, value]) => ['-c', `${name}=${value}`]);

export interface EmbeddedPostgresOptions {
  log?: Logger;
  /** Called when a running server ends without `stop`: whoever uses it cannot go on. */
  onUnexpectedEnd?: (error: Error) => void;
}

/** A running server. */
export interface EmbeddedPostgres {
  /** Administrative connection to its database `amr`. */
  readonly url: string;
  /** Ends the server, by force when it does not end by itself, and gives the folder back. */
  stop(): Promise<void>;
}

/**
 * Starts a PostgreSQL on loopback with its data in `<folder>/postgres`, made at the first start. The port is a free one
 * and differs from start to start; the password is random and kept in the folder. A server that outlived its process is
 * replaced. Throws `StartupError` with the cure when it cannot start.
 */
export async function startEmbeddedPostgres(
  folder: string,
  options: EmbeddedPostgresOptions = {},
): Promise<EmbeddedPostgres> {
  const programs = await findPrograms();
  const giveBack = await takeFolder(folder);
  try {
    // One spelling of the path, by which a leftover server is recognised.
    const home = await realpath(folder);
    const data = join(home, 'postgres');
    await stopLeftover(data, options.log);
    const account = await accountFor(data);
    if (!existsSync(data)) await makeCluster(home, data, account, programs);
    const password = await readPassword(home);
    const { port, stop } = await startServer(launcher(programs, account, data), programs.postgres, data, options);
    try {
      await ensureDatabase(urlOf(port, password, 'postgres'));
    } catch (error) {
      await stop();
      throw new StartupError(`The embedded PostgreSQL in ${data} runs but cannot be used: ${messageOf(error)}`);
    }
    return {
      url: urlOf(port, password, DATABASE),
      stop: async () => {
        await stop();
        await giveBack();
      },
    };
  } catch (error) {
    await giveBack();
    throw error;
  }
}

/** Ends a server whose process was killed before it could stop it, and clears away a lock file that names a stranger. */
async function stopLeftover(data: string, log: Logger | undefined): Promise<void> {
  const file = join(data, 'postmaster.pid');
  const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 0) return;
  if (!commandOf(pid).includes('postgres')) {
    // The server is gone and its id may be another process's by now, which PostgreSQL would take for the server.
    await writing(data, () => rm(file, { force: true }));
    return;
  }
  const runs = () => commandOf(pid).includes(`-D ${data} `);
  if (!runs()) return; // Another PostgreSQL: the new server compares memory segments and decides.
  log?.warn({ pid }, 'stopping an embedded PostgreSQL that outlived its process');
  const ended = await writing(data, () => endForeign(pid, runs));
  if (!ended)
    throw new StartupError(
      `The PostgreSQL process ${pid} still uses ${data} and does not end. Kill it, then start again.`,
    );
}

/** The account that the data belongs to since an earlier start, else the one for a new cluster. */
async function accountFor(data: string): Promise<Account | undefined> {
  const account = serverAccount();
  if (!account || !existsSync(data)) return account;
  const { uid, gid } = await stat(data);
  return uid === 0 ? account : { uid, gid };
}

/** Makes an empty cluster and its password. It appears whole or not at all, even when this process is killed meanwhile. */
async function makeCluster(
  home: string,
  data: string,
  account: Account | undefined,
  programs: PostgresPrograms,
): Promise<void> {
  const draft = `${data}.new`;
  const password = passwordFile(home);
  await writing(home, async () => {
    await rm(draft, { recursive: true, force: true });
    await rm(password, { force: true });
    await mkdir(draft, { mode: 0o700 });
    await writeFile(password, randomBytes(24).toString('base64url'), { mode: 0o600 });
    if (account) for (const path of [draft, password]) await chown(path, account.uid, account.gid);
  });
  const launch = launcher(programs, account, draft);
  const initdb = new ServerProcess(
    launch(programs.initdb, [
      ...['-D', draft, '-U', USER, `--pwfile=${password}`, '--auth=scram-sha-256', '--encoding=UTF8'],
      // The same order of text on every machine, whatever locales it has.
      ...['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
      // A machine that crashes in this second loses an empty database.
      ...['--no-sync', '--no-instructions'],
    ]),
  );
  const timer = setTimeout(() => initdb.signal('SIGKILL'), INITDB_TIMEOUT_MS);
  const code = await initdb.exited.finally(() => clearTimeout(timer));
  if (code !== 0) throw explainFailure('make its data', data, initdb.output);
  await writing(home, () => rename(draft, data));
}

/** Starts the server on a free port and resolves once it accepts connections. */
async function startServer(
  launch: Launch,
  postgres: string,
  data: string,
  { log, onUnexpectedEnd }: EmbeddedPostgresOptions,
): Promise<{ port: number; stop: () => Promise<void> }> {
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    const server = new ServerProcess(launch(postgres, ['-D', data, '-p', String(port), ...SETTINGS]));
    server.onLine((line) => log?.debug({ component: 'postgres' }, line));
    // When this process exits without a stop, the server gets the signal and ends on its own.
    const atExit = () => server.signal('SIGINT');
    process.once('exit', atExit);
    // Until it is ready its end is told by what it said.
    let expected = true;
    void server.exited.then((code) => {
      process.off('exit', atExit);
      if (expected) return;
      log?.error({ code, output: server.output }, 'the embedded PostgreSQL ended by itself');
      onUnexpectedEnd?.(new Error(`the embedded PostgreSQL in ${data} ended by itself with code ${code}`));
    });
    const ready = await server.says('ready to accept connections', START_TIMEOUT_MS);
    const stop = () => {
      expected = true;
      return server.end();
    };
    expected = !ready;
    if (ready) return { port, stop };
    await stop();
    // Somebody may take the port between our look and the server's.
    const taken = server.output.includes('Address already in use');
    if (!taken || tries === PORT_TRIES) throw explainFailure('start', data, server.output);
  }
}

function passwordFile(home: string): string {
  return join(home, 'postgres.password');
}

async function readPassword(home: string): Promise<string> {
  try {
    return await readFile(passwordFile(home), 'utf8');
  } catch (error) {
    throw new StartupError(
      `The password of the embedded PostgreSQL cannot be read: ${messageOf(error)}. Restore the file, or move ${home} away to start empty.`,
    );
  }
}

function urlOf(port: number, password: string, database: string): string {
  return `postgresql://${USER}:${password}@${HOST}:${port}/${database}`;
}

async function ensureDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, HOST, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
