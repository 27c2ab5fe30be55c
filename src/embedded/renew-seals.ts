import type pg from 'pg';
import { KeyRing } from '../credentials.js';
import { rotateCredentials } from '../services/key-rotation.js';
import type { Logger } from '../telemetry.js';

/** One process holds all keys here: with several, old credentials get the current one before anybody needs them. */
export async function renewSeals(
  pool: pg.Pool,
  { privateKey, publicKey }: { privateKey: string; publicKey: string },
  log: Logger,
): Promise<void> {
  const ring = KeyRing.parse(privateKey);
  if (ring.ids.length < 2) return;
  const { resealed, unreadable } = await rotateCredentials(pool, { ring, publicKey });
  log.info({ resealed, unreadable }, 'credentials sealed for the current key');
}
