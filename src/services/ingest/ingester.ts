import type pg from 'pg';
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Config } from '../../config.js';
import { inTransaction } from '../../db/database.js';
import { isTransient } from '../../db/errors.js';
import { ReadingPartitions } from '../../db/reading-partitions.js';
import { messageOf } from '../../errors.js';
import { ACK, REQUEUE, type Broker, type Delivery, type Disposition } from '../../messaging/broker.js';
import { backoff, pause } from '../../retry.js';
import { metrics, type Logger } from '../../telemetry.js';
import { announceRuns } from '../run-events.js';
import { writeBatch, type Batch, type BatchOutcome } from './batch.js';
import { RegisterDirectory } from './enrich.js';
import { validateMessage, type Validated } from './validate.js';

const readingsTotal = new Counter({
  name: 'amr_ingested_readings_total',
  help: 'Readings by what became of them.',
  labelNames: ['outcome'],
  registers: [metrics],
});
const stepSeconds = new Histogram({
  name: 'amr_ingest_step_seconds',
  help: 'Duration of the steps of an ingest batch.',
  labelNames: ['step'],
  buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
  registers: [metrics],
});
const inHand = new Gauge({
  name: 'amr_ingest_messages_in_hand',
  help: 'Messages taken from the broker and not yet committed.',
  registers: [metrics],
});

const OUTCOMES = ['stored', 'duplicate', 'revised', 'staged', 'rejected'] as const;

/** A delivery waiting for the commit of its batch. */
interface Waiting {
  delivery: Delivery;
  settle: (disposition: Disposition) => void;
}
interface Checked extends Waiting {
  validated: Validated;
}

type Settings = Pick<Config, 'ingestBatch' | 'ingestWindowMs'>;

/**
 * Validate → enrich → store → log, one transaction per batch; a delivery is acknowledged after its batch has committed.
 * One batch is written at a time, in arrival order, while the next is being parsed. When the database is away the batch
 * is kept and tried again; nothing more is taken than the consumer's prefetch, so memory stays bounded.
 */
export class Ingester {
  private readonly waiting: Waiting[] = [];
  private readonly directory: RegisterDirectory;
  private readonly partitions: ReadingPartitions;
  private readonly stopping = new AbortController();
  private pumping: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private writingSince: number | undefined;

  constructor(
    private readonly pool: pg.Pool,
    private readonly broker: Broker,
    private readonly settings: Settings,
    private readonly log: Logger,
  ) {
    this.directory = new RegisterDirectory(pool);
    this.partitions = new ReadingPartitions(pool);
  }

  /** Resolves when the readings of this delivery are committed, or when it goes back because of a stop during an outage. */
  readonly handle = (delivery: Delivery): Promise<Disposition> =>
    new Promise((settle) => {
      inHand.inc();
      if (this.stopping.signal.aborted) return this.settle([{ delivery, settle }], REQUEUE);
      this.waiting.push({ delivery, settle });
      if (this.pumping) return;
      // A message holds at least one reading, so a batch worth of messages need not wait for the window.
      if (this.waiting.length >= this.settings.ingestBatch) this.start();
      else this.timer ??= setTimeout(() => this.start(), this.settings.ingestWindowMs);
    });

  /** Finishes the batch that is being written, unless the database is away; everything else goes back to the broker. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.settle(this.waiting.splice(0), REQUEUE);
    await this.pumping;
  }

  /** Milliseconds that the batch being written has taken so far; 0 without one. For /health/ready. */
  get writingForMs(): number {
    return this.writingSince === undefined ? 0 : performance.now() - this.writingSince;
  }

  private start(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.pumping ??= this.pump().finally(() => {
      this.pumping = undefined;
      if (this.waiting.length > 0) this.timer ??= setTimeout(() => this.start(), this.settings.ingestWindowMs);
    });
  }

  private async pump(): Promise<void> {
    let writing = Promise.resolve();
    while (this.waiting.length > 0) {
      // Parsed while the batch before it is being written.
      const batch = this.takeBatch();
      await writing;
      if (this.stopping.signal.aborted) return this.settle(batch, REQUEUE);
      writing = this.commit(batch);
    }
    await writing;
  }

  private takeBatch(): Checked[] {
    const stop = stepSeconds.startTimer({ step: 'validate' });
    const batch: Checked[] = [];
    const now = Date.now();
    let readings = 0;
    let taken = 0;
    for (const waiting of this.waiting) {
      if (readings >= this.settings.ingestBatch) break;
      const validated = validateMessage(waiting.delivery.body, now);
      readings += validated.readings.length + validated.rejections.length;
      batch.push({ ...waiting, validated });
      taken++;
    }
    this.waiting.splice(0, taken);
    stop();
    return batch;
  }

  /** Writes a batch, however long the database is away; a batch the database refuses is halved until the culprit is alone. */
  private async commit(batch: readonly Checked[]): Promise<void> {
    const delays = backoff(100, 10_000);
    for (;;) {
      try {
        this.writingSince ??= performance.now();
        const outcome = await this.write(batch);
        this.settle(batch, ACK);
        await this.tell(outcome);
        break;
      } catch (error) {
        if (isTransient(error)) {
          if (this.stopping.signal.aborted) return this.settle(batch, REQUEUE);
          this.log.warn({ err: messageOf(error), messages: batch.length }, 'a batch waits for the database');
          await pause(delays.next().value, this.stopping.signal);
        } else if (batch.length > 1) {
          const middle = Math.ceil(batch.length / 2);
          await this.commit(batch.slice(0, middle));
          return this.commit(batch.slice(middle));
        } else {
          this.log.error({ err: error }, 'a message could not be stored');
          this.settle(batch, { kind: 'dead-letter', reason: messageOf(error) });
          break;
        }
      }
    }
    this.writingSince = undefined;
  }

  /** Counts, and news of the runs. Never throws: the batch is committed. */
  private async tell(outcome: BatchOutcome): Promise<void> {
    for (const kind of OUTCOMES) readingsTotal.inc({ outcome: kind }, outcome[kind]);
    await announceRuns(this.broker, outcome.runs);
  }

  private async write(batch: readonly Checked[]): Promise<BatchOutcome> {
    const enriching = stepSeconds.startTimer({ step: 'enrich' });
    const readings =
      batch.length === 1 ? batch[0]!.validated.readings : batch.flatMap((checked) => checked.validated.readings);
    const { known, unknown } = await this.directory.enrich(readings);
    enriching();
    const rejections = batch.flatMap((checked) => checked.validated.rejections);
    if (rejections.length > 0) {
      this.log.warn({ refused: rejections.length, first: rejections[0]!.reason }, 'readings were refused');
    }
    const storing = stepSeconds.startTimer({ step: 'store' });
    await this.partitions.require(known);
    const prepared: Batch = { known, unknown, rejections };
    const outcome = await inTransaction(this.pool, (client) => writeBatch(client, prepared, new Date()));
    storing();
    return outcome;
  }

  private settle(batch: readonly Waiting[], disposition: Disposition): void {
    inHand.dec(batch.length);
    for (const { settle } of batch) settle(disposition);
  }
}
