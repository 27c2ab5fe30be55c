import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Role } from '../domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../domain/organization.js';
import type { Database } from '../db/database.js';
import type { ApiTokenService } from '../services/api-tokens.js';
import { findToken } from '../services/token-verifier.js';
import { digestOfToken, isTokenSecret } from '../token-secret.js';
import { makeFolder, writing } from './data-folder.js';

/** Where `amr up` keeps the token of the newcomer's commands. */
export function adminTokenFile(dataDir: string): string {
  return join(dataDir, 'admin.token');
}

/** The token in the data folder; undefined where there is none, or it is not for this user to read. */
export function readAdminToken(dataDir: string): string | undefined {
  try {
    const kept = readFileSync(adminTokenFile(dataDir), 'utf8').trim();
    return isTokenSecret(kept) ? kept : undefined;
  } catch {
    return undefined;
  }
}

export interface AdminToken {
  readonly secret: string;
  /** Whether it was made just now. */
  readonly isNew: boolean;
}

/**
 * The administrator's token of an installation in one process: the one in the data folder where that is still good, else
 * a new one, which its owner only can read. Throws `StartupError` when the folder cannot be written.
 */
export async function keepAdminToken(
  dataDir: string,
  { pool }: Pick<Database, 'pool'>,
  tokens: Pick<ApiTokenService, 'create'>,
): Promise<AdminToken> {
  const kept = readAdminToken(dataDir);
  if (kept !== undefined) {
    const token = await findToken(pool, digestOfToken(kept));
    if (token?.role === Role.ADMIN && token.organizationId === DEFAULT_ORGANIZATION_ID)
      return { secret: kept, isNew: false };
  }
  // Names are never used again.
  const name = `amr up ${new Date().toISOString()}`;
  const { secret } = await tokens.create(DEFAULT_ORGANIZATION_ID, { name, role: Role.ADMIN }, { actor: 'amr up' });
  await writing(dataDir, async () => {
    await makeFolder(dataDir);
    const file = adminTokenFile(dataDir);
    const draft = `${file}.${randomUUID()}`;
    await writeFile(draft, `${secret}\n`, { mode: 0o600 });
    await rename(draft, file);
  });
  return { secret, isNew: true };
}
