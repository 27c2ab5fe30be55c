import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url));
const READY_MS = 30_000;
const STOP_MS = 45_000;

/** One running `amr` command of the built product. */
export interface AmrProcess {
  readonly pid: number;
  /** False once it has ended, in whatever way. */
  readonly running: boolean;
  /** Everything it wrote to stdout so far. */
  readonly stdout: string;
  /** Everything it wrote to stderr so far: its log. */
  readonly stderr: string;
  /** Resolves with the first match of `pattern` in stdout. Rejects when the process ends or the time is over. */
  says(pattern: RegExp): Promise<RegExpMatchArray>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP: it stands still until `resume`, and its connections stay open. */
  freeze(): void;
  readonly frozen: boolean;
  /** SIGCONT. */
  resume(): void;
}

/** Starts the built `amr <args>`; `npm test` builds it. `env` replaces the product's settings of this environment. */
export function startAmr(args: readonly string[], env: Record<string, string>): AmrProcess {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(AMR_|DATABASE_URL$|AMQP_URL$|VITEST|NODE_OPTIONS)/.test(name)),
  );
  const child: ChildProcess = spawn(process.execPath, [CLI, ...args], {
    env: { ...inherited, AMR_LOG_LEVEL: 'info', AMR_LOG_FORMAT: 'json', AMR_AUTH: 'off', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let frozen = false;
  const written = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream]!.setEncoding('utf8').on('data', (text: string) => (written[stream] += text));
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));

  const says = (pattern: RegExp) =>
    new Promise<RegExpMatchArray>((resolve, reject) => {
      const fail = (why: string) =>
        reject(new Error(`amr ${args.join(' ')} ${why}\n${written.stdout}\n${written.stderr.slice(-4_000)}`));
      const timer = setTimeout(() => fail(`did not say ${String(pattern)} within ${READY_MS} ms`), READY_MS);
      const look = () => {
        const match = written.stdout.match(pattern);
        if (!match) return;
        clearTimeout(timer);
        child.stdout!.off('data', look);
        resolve(match);
      };
      child.stdout!.on('data', look);
      void exited.then((code) => {
        clearTimeout(timer);
        look();
        fail(`ended with code ${code}`);
      });
      look();
    });

  return {
    pid: child.pid!,
    get running() {
      return child.exitCode === null && child.signalCode === null;
    },
    get stdout() {
      return written.stdout;
    },
    get stderr() {
      return written.stderr;
    },
    says,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      const code = await exited;
      clearTimeout(force);
      return code;
    },
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
    get frozen() {
      return frozen;
    },
    freeze: () => {
      frozen = child.kill('SIGSTOP');
    },
    resume: () => {
      frozen = false;
      child.kill('SIGCONT');
    },
  };
}
