import { statfs } from 'node:fs/promises';
import type pg from 'pg';

const GB = 1e9;
/** Left free for the write-ahead log, temporary files and whoever else is there. */
const RESERVE = 3 * GB;

/**
 * Throws when the disk of a database server on this machine has no room for so many bytes more. Says so where it cannot be looked
 * at, and goes on.
 */
export async function requireDisk(client: pg.ClientBase, bytes: number): Promise<void> {
  const folder = await client
    .query<{ data_directory: string }>('show data_directory')
    .then(({ rows }) => rows[0]!.data_directory)
    .catch(() => undefined);
  const disk = folder === undefined ? undefined : await statfs(folder).catch(() => undefined);
  const needed = bytes + RESERVE;
  if (disk === undefined) {
    console.log(`the disk of the database cannot be looked at from here; it needs ${(needed / GB).toFixed(1)} GB`);
    return;
  }
  const free = disk.bavail * disk.bsize;
  if (free < needed) {
    throw new Error(
      `The disk of ${folder} has ${(free / GB).toFixed(1)} GB free and ${(needed / GB).toFixed(1)} GB are needed: ` +
        'make room, or store less with --millions.',
    );
  }
}
