import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

let folder: string;
let deadPort: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'amr-start-'));
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  deadPort = (server.address() as AddressInfo).port;
  server.close();
  await once(server, 'close');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a command to its end; with `AMR_LOG_LEVEL=info` its log is on stderr beside the message. */
async function amr(args: string[], env: Record<string, string>, openFiles?: number) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(AMR_|DATABASE_URL$|AMQP_URL$)/.test(name));
  const command = [process.execPath, '--import', 'tsx', 'src/cli.ts', ...args];
  const limited = openFiles === undefined ? [] : ['sh', '-c', `ulimit -n ${openFiles} && exec "$@"`, 'sh'];
  const [program, ...rest] = [...limited, ...command];
  const child = spawn(program!, rest, {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...Object.fromEntries(inherited), AMR_DATA_DIR: folder, AMR_HTTP_PORT: '0', AMR_LOG_LEVEL: 'error', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  const [code] = (await once(child, 'close')) as [number];
  return { code, said: said.trim() };
}

function databaseUrl(changes: Partial<URL>): string {
  return Object.assign(new URL(inject('databaseUrl')!), changes).href;
}

// `amr up` and `amr migrate` answered with a stack in JSON.
describe.each(['migrate', 'up'])('amr %s', (command) => {
  it.each([
    ['a port where nobody listens', () => `postgresql://127.0.0.1:${deadPort}/amr`, /ECONNREFUSED.*DATABASE_URL/],
    ['a database that is missing', () => databaseUrl({ pathname: '/amr_nowhere' }), /createdb amr_nowhere/],
    ['an unknown role', () => databaseUrl({ username: 'amr_nobody', password: 'x' }), /amr_nobody.*DATABASE_URL/],
  ])('on %s ends with code 2 and one message with the cure', async (_what, url, cure) => {
    const { code, said } = await amr([command], { DATABASE_URL: url() });
    expect(said).toMatch(cure);
    expect(said).toMatch(/^amr[^\n]*: No PostgreSQL can be used at [^\n]*$/);
    expect(code).toBe(2);
  });
});

describe('amr up', () => {
  it.runIf(process.platform === 'linux')('names a data folder that cannot be made, and the setting', async () => {
    const { code, said } = await amr(['up'], { AMR_DATA_DIR: '/proc/amr' });
    expect(said).toMatch(/^amr up: The data folder \/proc\/amr cannot be used: [^\n]* Set AMR_DATA_DIR to [^\n]*$/);
    expect(code).toBe(2);
  });
});

describe('amr simulate', () => {
  it.each(['truth', 'counters'])('names a %s file that cannot be written, and leaves', async (what) => {
    const file = join(folder, 'nowhere', 'file');
    const { code, said } = await amr(['simulate', '--meters', '2', `--${what}`, file], {});
    expect(said).toMatch(new RegExp(`^amr simulate: The ${what} file [^\\n]*nowhere[^\\n]*$`));
    expect(said).toContain(file);
    expect(code).toBe(2);
  });

  it.runIf(process.platform === 'linux')('names the limit of open files when its ports are too many', async () => {
    const { code, said } = await amr(['simulate', 'fleet', '--meters', '300'], {}, 200);
    expect(said).toMatch(/^amr simulate: cannot open [^\n]*EMFILE[^\n]*300 ports[^\n]*ulimit -n[^\n]*behind a port$/);
    expect(code).toBe(2);
  });
});
