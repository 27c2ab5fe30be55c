import { describe, expect, it } from 'vitest';
import { writing } from '../../src/embedded/data-folder.js';
import { explainFailure } from '../../src/embedded/postgres-failure.js';

// Outputs as PostgreSQL 18.4 wrote them.
const OUTPUTS: [situation: string, output: string, told: RegExp][] = [
  [
    'a full disk',
    'creating configuration files ... ok\ninitdb: error: could not write file "/d/postgresql.conf": No space left on device',
    /could not write file[^]*disk is full[^]*AMR_DATA_DIR/,
  ],
  [
    'a read-only folder',
    'initdb: error: could not change permissions of directory "/d": Read-only file system',
    /set AMR_DATA_DIR to a folder that can be written/,
  ],
  [
    'data of another major version',
    '2026-11-21 20:57:01 UTC [1] FATAL:  database files are incompatible with server\n' +
      '2026-11-21 20:57:01 UTC [1] DETAIL:  The data directory was initialized by PostgreSQL version 15, which is not compatible with this version 18.4.',
    /version 15[^]*another major version/,
  ],
  [
    'missing libraries',
    '/x/postgres: error while loading shared libraries: libicuuc.so.60: cannot open shared object file: No such file or directory',
    /libicuuc\.so\.60[^]*npm rebuild/,
  ],
  [
    'data of another user',
    '2026-11-21 20:57:01 UTC [1] FATAL:  data directory "/d" has wrong ownership\n' +
      '2026-11-21 20:57:01 UTC [1] HINT:  The server must be started by the user that owns the data directory.',
    /wrong ownership[^]*start as its owner/,
  ],
  ['anything else', 'something new\nand its last line', /and its last line\n.*DATABASE_URL/],
  ['silence', '', /it gave no reason\n.*DATABASE_URL/],
];

describe('a failed PostgreSQL program', () => {
  it.each(OUTPUTS)('tells its own words and the cure for %s', (_, output, told) => {
    expect(explainFailure('start', '/d', output).message).toMatch(told);
  });
});

describe('a failed write in the data folder', () => {
  it.each([
    ['ENOSPC', /disk is full/],
    ['EROFS', /read-only file system/],
    ['EACCES', /this user may not write there/],
    ['EPERM', /does not allow the change of owner/],
    ['EIO', /EIO: broken/],
  ])('tells the cure for %s', async (code, told) => {
    const failure = Object.assign(new Error(`${code}: broken`), { code });
    await expect(writing('/d', () => Promise.reject(failure))).rejects.toThrow(told);
  });
});
