import { LRUCache } from 'lru-cache';
import type { Database } from '../db/database.js';
import { isUuid } from '../domain/uuid.js';

const MAX_AGE_MS = 30_000;
const MAX_CACHED = 10_000;

/** Finds active organizations by id or name; a look at the database serves for half a minute. */
export function createOrganizationLookup({ pool }: Pick<Database, 'pool'>) {
  const cache = new LRUCache<string, string>({
    max: MAX_CACHED,
    ttl: MAX_AGE_MS,
    fetchMethod: async (idOrName) => {
      const { rows } = await pool.query<{ id: string }>(
        'select id from organization where is_active and (id = $1 or name = $2) order by (id = $1) desc nulls last limit 1',
        [isUuid(idOrName) ? idOrName : null, idOrName],
      );
      return rows[0]?.id;
    },
  });
  return (idOrName: string): Promise<string | undefined> => cache.fetch(idOrName);
}
