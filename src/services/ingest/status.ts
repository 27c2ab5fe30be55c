import { hostname } from 'node:os';
import type pg from 'pg';
import { z } from 'zod';
import { IngestStep, IngestStrategy } from '../../domain/enums.js';
import { uuidAt } from '../../domain/uuid.js';
import { messageOf } from '../../errors.js';
import type { Broker } from '../../messaging/broker.js';
import type { Logger } from '../../telemetry.js';
import { productVersion } from '../../version.js';
import type { Ingester } from './ingester.js';
import type { StepStatus } from './step.js';

const EVERY_MS = 5_000;

const StepStatusRow: z.ZodType<StepStatus> = z.object({
  step: z.enum(IngestStep),
  batches: z.number(),
  readings: z.number(),
  errors: z.number(),
  inFlight: z.number(),
  p50Ms: z.number().nullable(),
  p95Ms: z.number().nullable(),
  totalMs: z.number(),
  lastError: z.object({ message: z.string(), at: z.string() }).nullable(),
});

const IngestStatusRow = z.object({
  strategy: z.enum(IngestStrategy),
  /** Whether it takes messages: of an elected one, whether it leads. */
  isWorking: z.boolean(),
  /** Messages that wait in `readings.new`; null where the broker did not say. */
  backlog: z.number().nullable(),
  /** Readings that are stored per second, since the last report. */
  readingsPerSecond: z.number(),
  steps: z.array(StepStatusRow).max(Object.keys(IngestStep).length),
});

/** What an ingester says of itself: `worker.status`. */
export type IngestStatus = z.infer<typeof IngestStatusRow>;

/** Null for what an ingester of another version may have written in another form. */
export function readIngestStatus(status: unknown): IngestStatus | null {
  return IngestStatusRow.safeParse(status).data ?? null;
}

/** The ingester of this process; another one after each election. */
export interface CurrentIngester {
  readonly ingester: Pick<Ingester, 'strategy' | 'graph' | 'watermarks'>;
  readonly isWorking: boolean;
}

/**
 * Writes at once and then every 5 s how the steps of this ingester do, and moves its watermarks along.
 * @returns stop: the last watermarks, and a goodbye; never rejects
 */
export function startStatusReports(
  pool: pg.Pool,
  broker: Broker,
  current: () => CurrentIngester,
  log: Logger,
  everyMs = EVERY_MS,
): () => Promise<void> {
  const worker = uuidAt();
  let last = { at: performance.now(), stored: 0 };
  const report = async (isLast: boolean): Promise<void> => {
    const { ingester, isWorking } = current();
    try {
      await ingester.watermarks.flush();
      const steps = ingester.graph.status();
      const now = { at: performance.now(), stored: steps.find(({ step }) => step === IngestStep.DISPATCH)!.readings };
      const status: IngestStatus = {
        strategy: ingester.strategy.name as IngestStrategy,
        isWorking: isWorking && !isLast,
        backlog: isLast ? null : await broker.depth('readings.new').catch(() => null),
        // Of an ingester that was just elected the counts begin anew.
        readingsPerSecond: Math.round((Math.max(0, now.stored - last.stored) * 1000) / Math.max(1, now.at - last.at)),
        steps,
      };
      last = now;
      await pool.query(
        `insert into worker (id, kind, host, pid, version, queues, max_sessions, open_sessions, stopped_at, status)
         values ($1, 'ingester', $2, $3, $4, '{readings.new}', 0, 0, case when $5 then now() end, $6)
         on conflict (id) do update set last_seen_at = now(), stopped_at = excluded.stopped_at, status = excluded.status`,
        [worker, hostname(), process.pid, productVersion(), isLast, JSON.stringify(status)],
      );
    } catch (error) {
      log.debug({ err: messageOf(error) }, 'the state of this ingester could not be written; the next report says it');
    }
  };
  let reporting = report(false);
  const timer = setInterval(() => (reporting = reporting.then(() => report(false))), everyMs);
  return async () => {
    clearInterval(timer);
    await reporting;
    await report(true);
  };
}
