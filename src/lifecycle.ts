import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Config } from './config.js';
import { InputError, messageOf, StartupError } from './errors.js';
import { createLogger, metrics, type Logger } from './telemetry.js';

/** A part's word on whether it can work now; undefined when it can, else what is missing. */
export type Readiness = () => Promise<string | undefined>;

export interface WorkerContext {
  readonly config: Config;
  readonly log: Logger;
  /** Registers a stop hook. Hooks run last-in, first-out: consumers drain before the connections they use close. */
  readonly onStop: (hook: () => Promise<void> | void) => void;
  /** Adds to what /health/ready checks. */
  readonly ready: (name: string, check: Readiness) => void;
  /** What /health/ready answers now. */
  readonly readiness: () => Promise<ReadinessReport>;
  /** Ends the whole process as after SIGTERM, with exit code 1; for a part that cannot go on. */
  readonly fail: (error: unknown) => void;
}

/** Starts a long-running part and returns a few words for its ready line, such as its URL. */
export type Worker = (context: WorkerContext) => Promise<string>;

/** A whole stop takes at most this long; then the process ends by force. */
const STOP_DEADLINE_MS = 40_000;
/** A terminal's Ctrl-C reaches the process once from the terminal and again through npm: that is one request. */
const SAME_REQUEST_MS = 1_000;

/**
 * Runs one long-running command: prints a ready line on stdout when `start` is through, then waits for SIGTERM or
 * SIGINT, stops in order and exits 0. A second signal, or a stop that takes too long, ends it by force with 1.
 */
export async function runService(name: string, start: Worker, config: Config): Promise<void> {
  const log = createLogger(config, name);
  const hooks: (() => Promise<void> | void)[] = [];
  const checks = new Map<string, Readiness>();
  let stopRequestedAt: number | undefined;

  const stop = async (why: string, code: number): Promise<void> => {
    if (stopRequestedAt !== undefined) {
      if (Date.now() - stopRequestedAt < SAME_REQUEST_MS) return;
      log.warn('stopped by force');
      process.exit(1);
    }
    stopRequestedAt = Date.now();
    log.info({ why }, 'stopping');
    const deadline = setTimeout(() => {
      log.error(`not stopped within ${STOP_DEADLINE_MS / 1000} s; ending by force`);
      process.exit(1);
    }, STOP_DEADLINE_MS);
    for (const hook of hooks.reverse()) {
      try {
        await hook();
      } catch (error) {
        log.error({ err: error }, 'a stop step failed');
        code = 1;
      }
    }
    clearTimeout(deadline);
    log.info('stopped');
    // The exit ends whatever a library left open; everything that holds data was closed above.
    log.flush(() => process.exit(code));
    setTimeout(() => process.exit(code), 500).unref();
  };

  const context: WorkerContext = {
    config,
    log,
    onStop: (hook) => void hooks.push(hook),
    ready: (part, check) => void checks.set(part, check),
    readiness: () => readinessOf(checks),
    fail: (error) => {
      log.fatal({ err: error }, 'cannot go on');
      void stop('a part failed', 1);
    },
  };

  process.on('SIGTERM', () => void stop('SIGTERM', 0));
  process.on('SIGINT', () => void stop('SIGINT', 0));
  // Only a command that starts others opens a channel to them: it shall not leave them behind when it is killed.
  if (process.connected) process.once('disconnect', () => void stop('the process that started it has ended', 0));
  // A rejected promise nobody awaits is a bug of ours: say so and end, rather than run on in an unknown state.
  process.on('unhandledRejection', (error) => context.fail(error));

  try {
    if (config.healthPort !== undefined && name !== 'server' && name !== 'up') {
      const health = await startHealthServer(config.httpHost, config.healthPort, checks);
      context.onStop(() => closeServer(health));
    }
    const details = await start(context);
    if (stopRequestedAt === undefined) process.stdout.write(`ready: ${name} ${details}\n`);
  } catch (error) {
    if (error instanceof StartupError || error instanceof InputError)
      process.stderr.write(`amr ${name}: ${error.message}\n`);
    else log.fatal({ err: error }, `${name} could not start`);
    await stop('start failed', error instanceof StartupError ? 2 : 1);
  }
}

/** The checks of a process: whether all pass, and what each says, `ok` or what is missing. */
export interface ReadinessReport {
  ok: boolean;
  parts: Record<string, string>;
}

async function readinessOf(checks: ReadonlyMap<string, Readiness>): Promise<ReadinessReport> {
  const parts: Record<string, string> = {};
  let ok = true;
  for (const [name, check] of checks) {
    const problem = await check().catch(messageOf);
    parts[name] = problem ?? 'ok';
    if (problem !== undefined) ok = false;
  }
  return { ok, parts };
}

/** /health/live, /health/ready and /metrics of a worker without an API. */
async function startHealthServer(host: string, port: number, checks: ReadonlyMap<string, Readiness>): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: string, type = 'application/json') =>
      response.writeHead(status, { 'content-type': type }).end(body);
    void (async () => {
      if (request.url === '/health/live') answer(200, '{"ok":true}');
      else if (request.url === '/metrics') answer(200, await metrics.metrics(), metrics.contentType);
      else if (request.url === '/health/ready') {
        const state = await readinessOf(checks);
        answer(state.ok ? 200 : 503, JSON.stringify(state));
      } else answer(404, '{"error":"try /health/live, /health/ready or /metrics"}');
    })().catch((error: unknown) => answer(500, JSON.stringify({ error: messageOf(error) })));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new StartupError(
              `Port ${port} for health checks is in use. Set AMR_HEALTH_PORT to a free one (0 takes any).`,
            )
          : error,
      ),
    );
    server.listen(port, host, resolve);
  });
  process.stdout.write(
    `health: http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}\n`,
  );
  return server;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
