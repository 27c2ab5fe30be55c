import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { own } from './owned.js';

const CLI = fileURLToPath(new URL('../cli.js', import.meta.url));
const READY_MS = 60_000;
/** Longer than a poller waits for its sessions. */
const STOP_MS = 30_000;

/** A running `amr` command of the built product, in a process of its own. */
export interface AmrProcess {
  /** What it said when it was ready, without `ready: `. */
  readonly ready: string;
  readonly startUpMs: number;
  readonly pid: number;
  /** What /metrics says now: a function from a series, such as `amr_messages_consumed_total{queue="amr.scheduled"}`, to its value; 0 when it is not there. */
  metrics(): Promise<(series: string) => number>;
  /** All of them. */
  series(): Promise<ReadonlyMap<string, number>>;
  /** SIGTERM, and SIGKILL when that does not help. */
  stop(): Promise<void>;
}

export interface StartOptions {
  env: Record<string, string>;
  /** Folder for a V8 CPU profile, if one is wanted. */
  profile?: string | undefined;
}

/** Starts `amr <args>` and waits until it is ready. `env` replaces the product's settings of this environment. */
export async function startAmr(args: readonly string[], { env, profile }: StartOptions): Promise<AmrProcess> {
  const command = `amr ${args.join(' ')}`;
  const inherited = Object.entries(process.env).filter(([name]) => !/^(AMR_|DATABASE_URL$|AMQP_URL$)/.test(name));
  const stop = own(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await once(child, 'exit');
    clearTimeout(force);
  });
  const spawnedAt = performance.now();
  const child = spawn(
    process.execPath,
    [...(profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : []), CLI, ...args],
    {
      env: { ...Object.fromEntries(inherited), AMR_LOG_LEVEL: 'error', AMR_HEALTH_PORT: '0', AMR_AUTH: 'off', ...env },
      // Over the channel it hears of the end of this process, even of one by force, and ends too.
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    },
  );
  let healthUrl: string | undefined;
  const ready = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${command} was not ready within ${READY_MS / 1000} s`)), READY_MS);
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      reject(new Error(`${command} ended with ${code ?? signal}`));
    });
    createInterface({ input: child.stdout! }).on('line', (line) => {
      healthUrl ??= /^health: (.*)/.exec(line)?.[1];
      const said = /^ready: (.*)/.exec(line)?.[1];
      if (said === undefined) return;
      clearTimeout(timer);
      // The API has no port of its own for it.
      healthUrl ??= /http:\S+/.exec(said)?.[0];
      resolve(said);
    });
  });
  const startUpMs = Math.round(performance.now() - spawnedAt);
  const series = async () => {
    const end = child.exitCode ?? child.signalCode;
    if (end !== null) throw new Error(`${command} ended with ${end}`);
    const response = await fetch(`${healthUrl}/metrics`, { signal: AbortSignal.timeout(30_000) });
    return seriesOf(await response.text());
  };
  const metrics = async () => {
    const values = await series();
    return (name: string) => values.get(name) ?? 0;
  };
  return { ready, startUpMs, pid: child.pid!, metrics, series, stop };
}

function seriesOf(text: string): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const line of text.split('\n')) {
    const end = line.lastIndexOf(' ');
    if (!line.startsWith('#')) values.set(line.slice(0, end), Number(line.slice(end + 1)));
  }
  return values;
}
