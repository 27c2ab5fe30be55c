import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { z } from 'zod';
import { parseInstant } from '../domain/instant.js';
import { InputError, messageOf, type InputErrorCode } from '../errors.js';
import { EXPORT_FORMATS, type ReadingExportService } from '../services/reading-export.js';
import { ids, parseInput } from '../services/input.js';
import type { Logger } from '../telemetry.js';
import { checkArguments } from './argument-check.js';
import type { Identity } from './authenticate.js';

const EXPORT_PATH = '/export/readings';
/** A client that takes nothing for so long is gone. */
const IDLE_MS = 60_000;
/** Exports at once: each may keep a connection of the database busy, and the API needs the others. */
const MAX_EXPORTS = 4;

const STATUS: Record<InputErrorCode, number> = {
  BAD_USER_INPUT: 400,
  NOT_FOUND: 404,
  CONFLICT: 409,
  FORBIDDEN: 403,
  UNAUTHENTICATED: 401,
  LIMIT_EXCEEDED: 429,
  TIMEOUT: 503,
};
const CONTENT_TYPES = { csv: 'text/csv; charset=utf-8; header=present', ndjson: 'application/x-ndjson' };

/** A parameter that may be given several times. */
const several = z
  .union([z.string().transform((one) => [one]), z.array(z.string())])
  .pipe(ids)
  .optional();
const instantRule = 'must be an ISO 8601 date and time with an offset or Z, such as 2026-01-31T09:00:00Z';
const instant = z.string({ error: instantRule }).transform((text, context) => {
  const ms = parseInstant(text);
  if (ms !== undefined) return new Date(ms);
  context.addIssue({ code: 'custom', message: instantRule });
  return z.NEVER;
});
const single = z.string({ error: 'must be given once' });
const Query = z.strictObject(
  {
    format: z.enum(EXPORT_FORMATS, { error: `must be one of ${EXPORT_FORMATS.join(', ')}` }).default('csv'),
    from: instant,
    to: instant,
    meterDevice: several,
    taskGroup: single.optional(),
    series: several,
    after: single.optional(),
  },
  {
    error: ({ code }) =>
      code === 'unrecognized_keys'
        ? 'may have format, from, to, meterDevice, taskGroup, series and after, nothing else'
        : undefined,
  },
);

export interface ReadingExportOptions {
  readonly readingExport: ReadingExportService;
  readonly log: Logger;
  readonly formatError: (error: unknown) => GraphQLFormattedError;
  /** On whose behalf the request is: as for GraphQL. */
  readonly identify: (request: FastifyRequest) => Identity | Promise<Identity>;
  /** @default 60 s */
  readonly idleMs?: number;
}

/** `GET /export/readings`: all readings of a selection as CSV or NDJSON, as long as the client takes them. */
export function addReadingExport(app: FastifyInstance, options: ReadingExportOptions): void {
  const { readingExport, log, formatError, identify, idleMs = IDLE_MS } = options;
  let open = 0;
  const handler = async (request: FastifyRequest, reply: FastifyReply) => {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    try {
      const { organizationId } = await identify(request);
      const query = request.query as Record<string, unknown>;
      checkArguments(query);
      const { format, meterDevice, ...selection } = parseInput(Query, query, 'query');
      if (open >= MAX_EXPORTS) {
        throw new InputError('LIMIT_EXCEEDED', `${MAX_EXPORTS} exports are running; try again when one has ended.`);
      }
      open++;
      try {
        const asked = { ...selection, format, meterDevices: meterDevice };
        const pages = await readingExport.open(organizationId, asked, gone.signal);
        await send(pages, request, reply, { contentType: CONTENT_TYPES[format], idleMs });
      } finally {
        open--;
      }
    } catch (error) {
      if (!reply.sent) return reply.code(statusOf(error)).send({ errors: [formatError(error)] });
      // The answer has begun: all that is left is to break it off, which tells the client that it is not whole.
      reply.raw.destroy();
      if (!gone.signal.aborted) log.error({ err: error }, 'an export of readings failed');
      else log.debug({ reason: messageOf(error) }, 'the client of an export went away');
    }
    return reply;
  };
  app.route({ method: 'GET', url: EXPORT_PATH, exposeHeadRoute: false, handler });
}

async function send(
  pages: AsyncGenerator<string, void>,
  request: FastifyRequest,
  reply: FastifyReply,
  { contentType, idleMs }: { contentType: string; idleMs: number },
): Promise<void> {
  reply.hijack();
  const { raw } = reply;
  const zipped = acceptsGzip(request.headers['accept-encoding']);
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  raw.setHeader('content-type', contentType);
  raw.setHeader('cache-control', 'no-store');
  raw.setHeader('vary', 'accept-encoding');
  raw.setHeader('content-disposition', 'attachment; filename="readings"');
  if (zipped) raw.setHeader('content-encoding', 'gzip');
  raw.setTimeout(idleMs, () => raw.destroy(new Error(`the client took nothing for ${idleMs / 1000} s`)));
  raw.flushHeaders();
  // One page waits at most; each as a whole, as text is encoded once.
  const source = Readable.from(pages, { objectMode: true, highWaterMark: 1 });
  if (zipped) await pipeline(source, createGzip({ level: constants.Z_BEST_SPEED }), raw);
  else await pipeline(source, raw);
}

/** Whether the client takes gzip; `gzip;q=0` and `*` do not say so. */
function acceptsGzip(header: string | string[] | undefined): boolean {
  return String(header ?? '')
    .split(',')
    .some((coding) => /^\s*gzip\s*(;\s*q=(1|0?\.\d*[1-9])\S*)?\s*$/i.test(coding));
}

function statusOf(error: unknown): number {
  if (error instanceof InputError) return STATUS[error.code];
  if (!(error instanceof GraphQLError)) return 500;
  // Who asks, and what for, is decided as for GraphQL.
  if (error.originalError instanceof InputError) return STATUS[error.originalError.code];
  return ((error.extensions['http'] ?? {}) as { status?: number }).status ?? 500;
}
