import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf, StartupError } from '../errors.js';
import { isAlive, startOf } from './process-identity.js';

const LOCK_FILE = 'amr.lock';

/**
 * Makes the data folder and takes it for this process, until the returned function is called. A lock whose process is
 * gone is taken over. Throws `StartupError` when another process has the folder, or when it cannot be written.
 */
export async function takeFolder(folder: string): Promise<() => Promise<void>> {
  const file = join(folder, LOCK_FILE);
  const mine = { pid: process.pid, started: startOf(process.pid) };
  await writing(folder, () => makeFolder(folder));
  for (let tries = 0; tries < 3; tries++) {
    const taken = await writing(folder, () => createFile(file, JSON.stringify(mine)));
    if (taken) return () => rm(file, { force: true });
    const holder = await readHolder(file);
    if (holder !== undefined && isAlive(holder.pid) && startOf(holder.pid) === holder.started) {
      throw new StartupError(
        `The data folder ${folder} is in use by process ${holder.pid}. Stop that process, or set AMR_DATA_DIR to another folder.`,
      );
    }
    await writing(folder, () => rm(file, { force: true }));
  }
  throw new StartupError(`Other processes take the data folder ${folder} at this moment. Start again.`);
}

/** Runs something that writes in `folder`; a failure becomes a `StartupError` with the cure. */
export async function writing<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StartupError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const cause = CAUSES[code] ?? `${messageOf(error)}. Set AMR_DATA_DIR to another folder.`;
    throw new StartupError(`The data folder ${folder} cannot be used: ${cause}`, { cause: error });
  }
}

/** As `mkdir -p`. Node's own hides a read-only file system behind ENOENT, and in /proc it never ends. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return;
    if (code !== 'ENOENT' || existsSync(dirname(folder))) throw error;
    await makeFolder(dirname(folder));
    await makeFolder(folder);
  }
}

const CAUSES: Readonly<Record<string, string>> = {
  EACCES:
    'this user may not write there. Run as its owner, change its permissions, or set AMR_DATA_DIR to another folder.',
  EPERM: 'its file system does not allow the change of owner or mode. Set AMR_DATA_DIR to a folder on a local disk.',
  EROFS: 'it is on a read-only file system. Set AMR_DATA_DIR to a folder that can be written.',
  ENOSPC: 'the disk is full. Free some space (about 100 MB), or set AMR_DATA_DIR to a folder on another disk.',
  EDQUOT: 'the disk quota is used up. Free some space (about 100 MB), or set AMR_DATA_DIR to a folder on another disk.',
  ENOENT: 'no folder can be made there. Set AMR_DATA_DIR to a folder on a local disk.',
  ENOTDIR: 'a part of the path is a file. Set AMR_DATA_DIR to a folder.',
  EEXIST: 'it is a file. Set AMR_DATA_DIR to a folder.',
};

/** False when the file exists already. */
async function createFile(file: string, text: string): Promise<boolean> {
  try {
    await writeFile(file, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function readHolder(file: string): Promise<{ pid: number; started: string | undefined } | undefined> {
  try {
    const { pid, started } = JSON.parse(await readFile(file, 'utf8')) as { pid: unknown; started?: unknown };
    return typeof pid === 'number' ? { pid, started: typeof started === 'string' ? started : undefined } : undefined;
  } catch {
    return undefined; // Removed meanwhile, or cut off by a crash while it was written.
  }
}
