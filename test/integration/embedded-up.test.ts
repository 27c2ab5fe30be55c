import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CliIo } from '../../src/cli/io.js';
import { run } from '../../src/cli/program.js';
import { adminTokenFile, readAdminToken } from '../../src/embedded/admin-token.js';
import { commandOf } from '../../src/embedded/process-identity.js';
import { createClient } from '../../src/graphql/client.js';
import {
  CreateMeterDeviceDocument,
  CreateNetworkInterfaceDocument,
  WorkersDocument,
} from '../../src/graphql/generated/graphql.js';

let folder: string;
let up: ChildProcess;
let url: string;
const said: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'amr-up-'));
  const { DATABASE_URL: _database, AMQP_URL: _broker, ...rest } = process.env;
  // Its own process group, so that the test can send it what a terminal's Ctrl-C sends: SIGINT to the whole group.
  up = spawn(process.execPath, ['--import', 'tsx', 'src/cli.ts', 'up'], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...rest, AMR_DATA_DIR: folder, AMR_HTTP_PORT: '0', AMR_LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const lines = createInterface(up.stdout!);
  lines.on('line', (line) => said.push(line));
  const [ready] = (await once(lines, 'line')) as [string];
  url = `${/^ready: up (http:\S+)/.exec(ready)![1]!}/graphql`;
}, 60_000);

afterAll(async () => {
  if (up.exitCode === null) up.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function amr(...args: string[]) {
  const out: string[] = [];
  const notes: string[] = [];
  const io: CliIo = {
    out: (line) => void out.push(line),
    note: (line) => void notes.push(line),
    env: { AMR_DATA_DIR: folder },
    interrupted: () => new AbortController().signal,
  };
  return { code: await run([...args, '--url', url], io), out, notes: notes.join('\n') };
}

describe('amr up', () => {
  it('carries out a call and shows its states, its result and its reading', async () => {
    const { code, out } = await amr(
      ...['invoke', '--meter', 'DEMO-0007', '--call', 'read_single_value', '--kwargs', '{"address":"2:300.0"}'],
    );
    expect(code).toBe(0);
    expect(out[0]).toMatch(/^run \S{36} on DEMO-0007$/);
    expect(out).toContain('PENDING');
    expect(out).toContain('SUCCEEDED: 1 reading read, 1 stored');
    expect(out.at(-1)).toMatch(/^2:300 +\d{4}-\S+Z +\d+\.\d+ +m3$/);
  });

  it('shows the readings of an archive, also those it knew already', async () => {
    const kwargs = '{"offset_seconds":7200,"archive_number":3,"control_position":3}';
    const call = ['invoke', '--meter', 'DEMO-0008', '--call', 'read_archive_by_offset_seconds', '--kwargs', kwargs];
    const first = await amr(...call);
    const second = await amr(...call);
    expect([first.code, second.code]).toEqual([0, 0]);
    expect(second.out.join('\n')).toMatch(/SUCCEEDED: \d+ readings read, \d+ known already\nSERIES/);
  });

  it('ends with code 1 and the reason when the meter refuses', async () => {
    const { code, notes } = await amr(
      ...['invoke', '--meter', 'DEMO-0009', '--call', 'read_single_value', '--kwargs', '{"address":"9:999.0"}'],
    );
    expect(notes).toMatch(/The run failed: NOT_AVAILABLE .*9:999\.0/);
    expect(code).toBe(1);
  });

  it('ends with code 2 and the cure when it is asked for what does not exist', async () => {
    expect(await amr('invoke', '--meter', 'NOPE', '--call', 'set_time')).toMatchObject({
      code: 2,
      notes: expect.stringContaining('There is no meter "NOPE"') as string,
    });
    expect(await amr('invoke', '--meter', 'DEMO-0001', '--call', 'set_tyme')).toMatchObject({
      code: 2,
      notes: expect.stringMatching(/set_tyme.*set_time/s) as string,
    });
    expect((await amr('watch', '--group', 'NOPE')).code).toBe(2);
    expect((await amr('watch', '--after', 'nonsense')).code).toBe(2);
  });

  it('ends with code 4 when a meter stays silent for longer than it waits', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    try {
      const client = createClient({ url, token: readAdminToken(folder) });
      const { createNetworkInterface } = await client.request(CreateNetworkInterfaceDocument, {
        input: { name: 'silent', kind: 'TCP', host: '127.0.0.1', port: (silent.address() as AddressInfo).port },
      });
      const networkInterface = createNetworkInterface.networkInterface.id;
      await client.request(CreateMeterDeviceDocument, { input: { name: 'silent', networkInterface } });
      const { code, notes } = await amr('invoke', '--meter', 'silent', '--call', 'set_time', '--timeout', '1');
      expect(notes).toMatch(/After 1 s run .* it has not ended/);
      expect(code).toBe(4);
    } finally {
      silent.close();
      for (const socket of sockets) socket.destroy();
    }
  });

  it('shows live readings, and with a cursor those that came after it', async () => {
    const live = await amr('watch', '--group', 'Demo gas meters', '--series', '2:300', '--json', '--count', '3');
    expect(live.code).toBe(0);
    const readings = live.out.map((line) => JSON.parse(line) as { cursor: string; series: string });
    expect(readings.map(({ series }) => series)).toEqual(['2:300', '2:300', '2:300']);
    const cursors = readings.map(({ cursor }) => cursor);
    expect([...new Set(cursors)].sort()).toEqual(cursors);

    const again = await amr('watch', '--series', '2:300', '--after', cursors[0]!, '--json', '--count', '2');
    expect(again.out).toEqual(live.out.slice(1));
  });

  it('asks for a token, shows the first one once, and keeps it for the commands of its owner', async () => {
    const secret = readAdminToken(folder)!;
    expect(said.join('\n')).toContain(`/graphiql#token=${secret}\n`);
    expect((await stat(adminTokenFile(folder))).mode & 0o777).toBe(0o600);
    const refused = await amr('watch', '--count', '1', '--token', secret.toLowerCase());
    expect([refused.code, refused.notes]).toEqual([2, expect.stringContaining('[UNAUTHENTICATED]')]);

    const made = await amr('token', 'create', '--name', 'a second', '--role', 'viewer');
    expect(made.out).toEqual([expect.stringMatching(/^amr_/)]);
    expect((await amr('token', 'list')).out.join('\n')).toMatch(/amr up 20.*\n.*a second +viewer/);
    expect((await amr('token', 'list', '--token', made.out[0]!)).notes).toContain('[FORBIDDEN]');
  });

  it('has its own poller and ingester among the workers', async () => {
    const { workers } = await createClient({ url, token: readAdminToken(folder) }).request(WorkersDocument, {});
    expect([...workers].sort((a, b) => (a.kind < b.kind ? -1 : 1))).toMatchObject([
      { kind: 'ingester', pid: up.pid, state: 'ACTIVE', queues: ['readings.new'] },
      { kind: 'poller', pid: up.pid, state: 'ACTIVE', queues: ['amr.scheduled', 'amr.on_demand'] },
    ]);
  });

  it('leaves no process behind at Ctrl-C', async () => {
    const pid = Number((await readFile(join(folder, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0]);
    const exited = once(up, 'exit');
    process.kill(-up.pid!, 'SIGINT');
    expect(await exited).toEqual([0, null]);
    expect(commandOf(pid)).toBe('');
  });
});
