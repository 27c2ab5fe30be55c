import { pino, type Logger } from 'pino';
import { Registry, collectDefaultMetrics } from 'prom-client';
import type { Config } from './config.js';

export type { Logger } from 'pino';

/** Paths that never reach a log line, wherever they appear one level down. */
const REDACTED = ['credentials', 'password', 'authorization', 'token', 'secret', 'sealed_credentials', 'privateKey'];

/** The process's logger. Lines go to stderr; stdout belongs to ready lines and command output. */
export function createLogger(config: Pick<Config, 'logLevel' | 'logFormat'>, name: string): Logger {
  const options = {
    name,
    level: config.logLevel,
    redact: { paths: REDACTED.flatMap((key) => [key, `*.${key}`]), censor: '(hidden)' },
  };
  if (config.logFormat === 'json') return pino(options, pino.destination(2));
  return pino(
    options,
    pino.transport({
      target: 'pino-pretty',
      options: { destination: 2, ignore: 'pid,hostname', translateTime: 'HH:MM:ss' },
    }),
  );
}

/** Metrics of this process, served at /metrics. */
export const metrics = new Registry();
collectDefaultMetrics({ register: metrics });
