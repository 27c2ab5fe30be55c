import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { own } from '../src/scratch/owned.js';

/** From `dist/bench`: the peers keep their packages beside their sources. */
const PEERS = fileURLToPath(new URL('../../bench/peers', import.meta.url));
const INSTALL_MS = 300_000;
const READY_MS = 60_000;

/** PostGraphile, in a process of its own, on a database; installed at its first use. Returns its URL. */
export async function startPostgraphile(databaseUrl: string): Promise<string> {
  await install();
  const child = spawn(process.execPath, ['postgraphile.mjs', databaseUrl], {
    cwd: PEERS,
    env: { ...process.env, GRAPHILE_ENV: 'production', NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  own(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`PostGraphile was not ready within ${READY_MS / 1000} s`)),
      READY_MS,
    );
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`PostGraphile ended with ${String(code)}`));
    });
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const url = /^ready: (.*)/.exec(line)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    });
  });
}

async function install(): Promise<void> {
  const installed = await access(`${PEERS}/node_modules/postgraphile`).then(
    () => true,
    () => false,
  );
  if (installed) return;
  console.error('installing PostGraphile into bench/peers…');
  const npm = spawn('npm', ['ci', '--loglevel=error'], { cwd: PEERS, stdio: 'inherit', timeout: INSTALL_MS });
  const [code] = (await once(npm, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`npm ci in bench/peers ended with ${String(code)}`);
}
