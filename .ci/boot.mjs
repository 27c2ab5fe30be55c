// Boots the built `amr up` on embedded defaults, waits for a live reading, stops it, and checks that nothing remains.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = await mkdtemp(join(tmpdir(), 'amr-boot-'));
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(AMR_|DATABASE_URL$|AMQP_URL$)/.test(name)),
);
const amr = spawn(process.execPath, ['dist/src/cli.js', 'up'], {
  env: { ...env, AMR_DATA_DIR: folder, AMR_HTTP_PORT: '0', AMR_LOG_LEVEL: 'warn' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const deadline = setTimeout(() => fail('no live reading within 120 s'), 120_000);
const exited = once(amr, 'exit');
function fail(why) {
  console.error(`boot: ${why}`);
  amr.kill('SIGKILL');
  process.exit(1);
}

let said = '';
for await (const chunk of amr.stdout) {
  said += chunk;
  if (/ready: up (\S+)/.test(said)) break;
}
const url = /ready: up (\S+)/.exec(said)?.[1] ?? fail('it ended before it was ready');
const watch = spawn(process.execPath, ['dist/src/cli.js', 'watch', '--url', `${url}/graphql`, '--count', '3'], {
  // Where it finds its token, as a newcomer's commands do.
  env: { ...env, AMR_DATA_DIR: folder },
  stdio: ['ignore', 'inherit', 'inherit'],
});
const [watched] = await once(watch, 'exit');
if (watched !== 0) fail(`amr watch ended with code ${watched}`);
amr.kill('SIGTERM');
const [code] = await exited;
clearTimeout(deadline);
await rm(folder, { recursive: true, force: true });
if (code !== 0) fail(`it ended with code ${code} after SIGTERM`);
console.log('boot: ready, live readings seen, stopped with code 0');
process.exit(0);
