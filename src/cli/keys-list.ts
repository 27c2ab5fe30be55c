import { loadConfig } from '../config.js';
import { keyIdOf, KeyRing } from '../credentials.js';
import type { CliIo } from './io.js';
import { tableLines } from './table.js';
import { withPool } from './with-pool.js';

/** Names keys by their ids, and shows none. */
export async function listKeys(io: CliIo): Promise<void> {
  const config = loadConfig(io.env);
  const { credentialsPublicKey, credentialsPrivateKey } = config;
  const seals = credentialsPublicKey === undefined ? undefined : keyIdOf(credentialsPublicKey);
  const opens = credentialsPrivateKey === undefined ? [] : KeyRing.parse(credentialsPrivateKey).ids;
  let meters: ReadonlyMap<string, number> | undefined;
  if (config.databaseUrl !== undefined) {
    const { keysInUse } = await import('../services/key-rotation.js');
    await withPool(config, 'keys', async (pool) => void (meters = await keysInUse(pool)));
  }
  const ids = new Set([...(seals === undefined ? [] : [seals]), ...opens, ...(meters?.keys() ?? [])]);
  if (ids.size === 0) return io.note('There is no key: set one, or DATABASE_URL. `amr keys create` makes a pair.');
  const yes = (is: boolean) => (is ? 'yes' : '-');
  const rows = [...ids].map((id) => [
    ...[id, yes(id === seals), yes(opens.includes(id))],
    meters ? String(meters.get(id) ?? 0) : '?',
  ]);
  for (const line of tableLines(['KEY', 'SEALS', 'OPENS', 'METERS'], rows)) io.out(line);
}
