import { StartupError } from '../errors.js';

const CURES: readonly [pattern: RegExp, cure: string][] = [
  [
    /No space left on device|Disk quota exceeded/i,
    'The disk is full: free about 100 MB, or set AMR_DATA_DIR to a folder on another disk.',
  ],
  [
    /Read-only file system/i,
    'The folder is on a read-only file system: set AMR_DATA_DIR to a folder that can be written.',
  ],
  [
    /not compatible with this version|incompatible with server/i,
    'The folder was made by another major version of PostgreSQL: dump it with that version, or move the folder away to start empty.',
  ],
  [
    /error while loading shared libraries|Library not loaded|symbol lookup error/i,
    'A library of the embedded PostgreSQL is missing: run `npm rebuild`, or set DATABASE_URL to a PostgreSQL 15 or newer.',
  ],
  [
    /wrong ownership|Operation not permitted|Permission denied/i,
    'The folder belongs to another user, or its file system does not keep owners and modes: start as its owner, or set AMR_DATA_DIR to a folder on a local disk.',
  ],
  [
    /pre-existing shared memory block|lock file ".*" already exists/i,
    'Processes of an earlier PostgreSQL still use the folder: end them, then start again.',
  ],
  [
    /could not (create|resize|open) shared memory|Cannot allocate memory|could not map anonymous shared memory/i,
    'There is too little memory or shared memory (/dev/shm): about 300 MB are needed.',
  ],
];

/** The error for a PostgreSQL program that ended, from what it wrote: its own words, then the cure where one is known. */
export function explainFailure(doing: string, dataFolder: string, output: string): StartupError {
  const cure = CURES.find(([pattern]) => pattern.test(output))?.[1] ?? 'Set DATABASE_URL to use another PostgreSQL.';
  const words =
    /^.*(?:FATAL|PANIC|ERROR|error):? .*(?:\n.*(?:DETAIL|HINT): .*)*/im.exec(output)?.[0] ??
    output.trim().split('\n').at(-1);
  return new StartupError(
    `The embedded PostgreSQL failed to ${doing} in ${dataFolder}: ${words || 'it gave no reason'}\n${cure}`,
  );
}
