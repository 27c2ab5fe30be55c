import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.js';
import { createKeyPair, KeyRing, publicKeyOf } from '../credentials.js';
import { StartupError } from '../errors.js';
import { makeFolder, writing } from './data-folder.js';

/**
 * The key pair of an installation in one process: the configured one, else the one in `<data folder>/credentials.key`,
 * made at the first start and readable by its owner only. Throws `StartupError` for half a pair, keys that do not
 * belong together, or a damaged file.
 */
export async function keepKeys(
  config: Pick<Config, 'dataDir' | 'credentialsPublicKey' | 'credentialsPrivateKey'>,
): Promise<{ publicKey: string; privateKey: string }> {
  const { dataDir, credentialsPublicKey, credentialsPrivateKey } = config;
  if (credentialsPrivateKey !== undefined) {
    // Of several, as during a rotation, the first is the current one unless the public key says another.
    const { publicKeys } = KeyRing.parse(credentialsPrivateKey);
    const publicKey = credentialsPublicKey ?? publicKeys[0]!;
    if (publicKeys.includes(publicKey)) return { publicKey, privateKey: credentialsPrivateKey };
    throw new StartupError(
      'AMR_CREDENTIALS_PUBLIC_KEY and AMR_CREDENTIALS_PRIVATE_KEY are not of one pair. Correct or unset one.',
    );
  }
  if (credentialsPublicKey !== undefined) {
    throw new StartupError(
      'AMR_CREDENTIALS_PUBLIC_KEY is set without AMR_CREDENTIALS_PRIVATE_KEY. Set both, or neither.',
    );
  }
  const privateKey = await keepPrivateKey(join(dataDir, 'credentials.key'), dataDir);
  return { publicKey: publicKeyOf(privateKey), privateKey };
}

async function keepPrivateKey(file: string, folder: string): Promise<string> {
  return writing(folder, async () => {
    await makeFolder(folder);
    if (!existsSync(file)) await createWhole(file, createKeyPair().privateKey);
    const kept = (await readFile(file, 'utf8')).trim();
    try {
      publicKeyOf(kept);
    } catch {
      throw new StartupError(
        `${file} is damaged. Restore it; without it, remove it and set the credentials of all meters again.`,
      );
    }
    return kept;
  });
}

/** Of processes that do this at once one makes the file, and none sees a part of it. */
async function createWhole(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, `${text}\n`, { mode: 0o600 });
  try {
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft);
  }
}
