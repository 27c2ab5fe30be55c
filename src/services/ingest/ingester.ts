import type pg from 'pg';
import { Counter, Gauge } from 'prom-client';
import type { Config } from '../../config.js';
import { inTransaction } from '../../db/database.js';
import { uuidAt } from '../../domain/uuid.js';
import { isTransient, sqlState } from '../../db/errors.js';
import { ReadingPartitions } from '../../db/reading-partitions.js';
import { oldestAccepted } from '../../domain/oldest-accepted.js';
import { messageOf } from '../../errors.js';
import { ACK, REQUEUE, type Broker, type Delivery, type Disposition } from '../../messaging/broker.js';
import { backoff, pause } from '../../retry.js';
import { metrics, type Logger } from '../../telemetry.js';
import { announceRuns } from '../run-events.js';
import { RegisterDirectory } from './directory.js';
import { logBatch } from './dispatch.js';
import { enrichReadings, type Enriched, type EnrichedReading, type Targets } from './enrich.js';
import { Lanes, type Sized } from './lanes.js';
import { IngestGraph, type Step } from './step.js';
import { storeBatch, type Batch, type StoredBatch } from './store.js';
import { strategyOf, type Strategy } from './strategy.js';
import { validateMessage, type Rejection, type Validated, type ValidReading } from './validate.js';
import { Watermarks } from './watermarks.js';

const readingsTotal = new Counter({
  name: 'amr_ingested_readings_total',
  help: 'Readings by what became of them.',
  labelNames: ['outcome'],
  registers: [metrics],
});
/** Counted with each message: a gauge that is looked at now and then. */
let messagesInHand = 0;
new Gauge({
  name: 'amr_ingest_messages_in_hand',
  help: 'Messages taken from the broker and not yet committed.',
  registers: [metrics],
  collect() {
    this.set(messagesInHand);
  },
});
const retries = new Counter({
  name: 'amr_ingest_batch_retries_total',
  help: 'Batches tried again: because the database was away, or a partition was gone.',
  labelNames: ['reason'],
  registers: [metrics],
});

/** Batches without a known key, one after another, until the next one is expected to have none either. */
const CLEAN_BATCHES = 5;
/** Readings from which on that is worth a savepoint. */
const LARGE_BATCH = 100;
const DEFAULT_LATENCY_OBJECTIVE_MS = 60_000;

/** Also: no partition for a row. */
const CHECK_VIOLATION = '23514';

/** A delivery waiting for the commit of its batch. */
interface Waiting {
  delivery: Delivery;
  settle: (disposition: Disposition) => void;
}
interface Validating extends Waiting {
  validated: Validated;
}
/** A message ready to be written. */
interface Message extends Waiting, Sized, Enriched {}

export type IngestSettings = Pick<
  Config,
  'ingestBatch' | 'ingestWindowMs' | 'ingestStrategy' | 'ingestParallelism' | 'oldestReading' | 'readingsAheadMs'
> &
  Partial<Pick<Config, 'readingsKeptDays'>>;

export interface IngesterOptions {
  /** See `StoreSettings`. @default one minute for all */
  latencyObjectiveMs?: (organization: string) => number;
}

/**
 * Validate → enrich → store → dispatch, one transaction per batch; a delivery is acknowledged after its batch has committed.
 * When the database is away batches are kept and tried again; nothing more is taken than the consumer's prefetch, so memory
 * stays bounded. The strategy says how messages are put into batches and how many of these are written at once.
 */
export class Ingester {
  /** Made anew at each start. */
  readonly id = uuidAt();
  readonly graph = new IngestGraph();
  readonly directory: RegisterDirectory;
  readonly watermarks: Watermarks;
  readonly strategy: Strategy;
  private readonly waiting: Waiting[] = [];
  private readonly lanes: Lanes<Message>;
  private readonly partitions: ReadingPartitions;
  private readonly stopping = new AbortController();
  private readonly latencyObjectiveMs: (organization: string) => number;
  /** When the batches that are being written were begun. */
  private readonly writingSince = new Set<{ readonly at: number }>();
  private pumping: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private wakePump: () => void = () => undefined;
  private cleanBatches = 0;

  constructor(
    private readonly pool: pg.Pool,
    private readonly broker: Broker,
    private readonly settings: IngestSettings,
    private readonly log: Logger,
    options: IngesterOptions = {},
  ) {
    this.directory = new RegisterDirectory(pool);
    this.watermarks = new Watermarks(pool);
    this.partitions = new ReadingPartitions(pool);
    this.latencyObjectiveMs = options.latencyObjectiveMs ?? (() => DEFAULT_LATENCY_OBJECTIVE_MS);
    this.strategy = strategyOf(settings);
    this.lanes = new Lanes({
      lanes: this.strategy.lanes,
      writersPerLane: this.strategy.writersPerLane,
      maxItems: this.strategy.messagesPerBatch,
      maxSize: settings.ingestBatch,
      laneOf: (message) => laneOf(message, this.strategy.lanes),
      write: (batch: readonly Message[]) => this.commit(batch),
    });
  }

  /** Resolves when the readings of this delivery are committed, or when it goes back because of a stop during an outage. */
  readonly handle = (delivery: Delivery): Promise<Disposition> =>
    new Promise((settle) => {
      messagesInHand++;
      if (this.stopping.signal.aborted) return this.settle([{ delivery, settle }], REQUEUE);
      this.waiting.push({ delivery, settle });
      if (this.pumping) return;
      // A message holds at least one reading, so a batch worth of messages need not wait for the window.
      if (this.waiting.length >= this.settings.ingestBatch) this.start();
      else this.timer ??= setTimeout(() => this.start(), this.strategy.windowMs);
    });

  /** Finishes the batches that are being written, unless the database is away; everything else goes back to the broker. */
  async stop(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    this.settle(this.waiting.splice(0), REQUEUE);
    this.settle(this.lanes.withdraw(), REQUEUE);
    this.wakePump();
    await this.pumping;
    await this.lanes.idle();
  }

  /** Milliseconds that the oldest batch being written has taken so far; 0 without one. For /health/ready. */
  get writingForMs(): number {
    const [oldest] = this.writingSince;
    return oldest === undefined ? 0 : performance.now() - oldest.at;
  }

  private start(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.pumping ??= this.pump().finally(() => {
      this.pumping = undefined;
      if (this.waiting.length > 0) this.timer ??= setTimeout(() => this.start(), this.strategy.windowMs);
    });
  }

  /** Validates and enriches what has arrived while what came before is being written, one batch for each writer ahead. */
  private async pump(): Promise<void> {
    const room = this.settings.ingestBatch * this.strategy.lanes * this.strategy.writersPerLane;
    while (this.waiting.length > 0) {
      const taken = this.validate();
      const messages = await this.enrich(taken);
      if (this.stopping.signal.aborted) return this.settle(messages, REQUEUE);
      this.lanes.push(messages);
      while (this.lanes.waitingSize >= room && !this.stopping.signal.aborted) {
        await new Promise<void>((resolve) => (this.wakePump = resolve));
      }
    }
  }

  private validate(): Validating[] {
    const now = Date.now();
    const period = { oldest: oldestAccepted(this.settings, now), newest: now + this.settings.readingsAheadMs };
    const { done } = this.graph.validate.begin();
    const taken: Validating[] = [];
    let readings = 0;
    for (const waiting of this.waiting) {
      if (readings >= this.settings.ingestBatch) break;
      const validated = validateMessage(waiting.delivery, period, now);
      readings += validated.readings.length + validated.rejections.length;
      taken.push({ delivery: waiting.delivery, settle: waiting.settle, validated });
    }
    this.waiting.splice(0, taken.length);
    done(readings);
    return taken;
  }

  /**
   * However long the database is away: without their registers readings cannot go on. Messages that the database refuses are
   * halved until the culprit is alone.
   */
  private async enrich(taken: readonly Validating[]): Promise<Message[]> {
    const readings: ValidReading[] = [];
    for (const { validated } of taken) for (const reading of validated.readings) readings.push(reading);
    for (const delay of backoff(100, 10_000)) {
      try {
        const targets = await this.graph.enrich.run(readings.length, () => this.directory.resolve(readings));
        let from = 0;
        return taken.map((message) => {
          const enriched = enrichedMessage(message, targets, from);
          from += message.validated.readings.length;
          return enriched;
        });
      } catch (error) {
        if (isTransient(error)) {
          if (this.stopping.signal.aborted) break;
          this.log.warn({ err: messageOf(error), messages: taken.length }, 'messages wait for the database');
          await pause(delay, this.stopping.signal);
        } else if (taken.length > 1) {
          const middle = Math.ceil(taken.length / 2);
          return [...(await this.enrich(taken.slice(0, middle))), ...(await this.enrich(taken.slice(middle)))];
        } else {
          this.giveUp(taken[0]!, error);
          return [];
        }
      }
    }
    this.settle(taken, REQUEUE);
    return [];
  }

  /** Writes a batch, however long the database is away; a batch the database refuses is halved until the culprit is alone. */
  private async commit(messages: readonly Message[]): Promise<void> {
    const writing = { at: performance.now() };
    this.writingSince.add(writing);
    await this.commitParts(messages);
    this.writingSince.delete(writing);
    this.wakePump();
  }

  /** @param triedBefore whether a commit of these was begun whose end nobody knows */
  private async commitParts(messages: readonly Message[], triedBefore = false): Promise<void> {
    let isUnsure = triedBefore;
    for (const delay of backoff(100, 10_000)) {
      try {
        const stored = await this.write(messages, isUnsure);
        this.settle(messages, ACK);
        return await this.tell(stored);
      } catch (error) {
        if (isMissingPartition(error)) {
          this.partitions.forget();
          retries.inc({ reason: 'missing_partition' });
        } else if (isTransient(error)) {
          if (this.stopping.signal.aborted) return this.settle(messages, REQUEUE);
          this.log.warn({ err: messageOf(error), messages: messages.length }, 'a batch waits for the database');
          retries.inc({ reason: 'database' });
          isUnsure = true;
          await pause(delay, this.stopping.signal);
        } else if (messages.length > 1) {
          const middle = Math.ceil(messages.length / 2);
          await this.commitParts(messages.slice(0, middle), isUnsure);
          return this.commitParts(messages.slice(middle), isUnsure);
        } else return this.giveUp(messages[0]!, error);
      }
    }
  }

  private async write(messages: readonly Message[], triedBefore: boolean): Promise<StoredBatch> {
    const batch = joined(messages);
    const { known, rejections } = batch;
    if (rejections.length > 0) {
      this.log.warn({ refused: rejections.length, first: rejections[0]!.reason }, 'readings were refused');
    }
    const size = known.length + batch.unknown.length;
    await this.partitions.require(known);
    const receivedAt = new Date();
    const settings = {
      expectNew: this.cleanBatches >= CLEAN_BATCHES && known.length >= LARGE_BATCH,
      receivedAt,
      ingester: this.id,
      latencyObjectiveMs: this.latencyObjectiveMs,
      triedBefore,
    };
    // Ends with the commit: only then the readings are there for others.
    let dispatching: ReturnType<Step['begin']> | undefined;
    const stored = await inTransaction(this.pool, async (client) => {
      const outcome = await this.graph.store.run(size, () => storeBatch(client, batch, settings));
      dispatching = this.graph.dispatch.begin();
      await logBatch(client, known, outcome.verdicts, receivedAt);
      return outcome;
    }).catch((error: unknown) => {
      dispatching?.failed(error);
      throw error;
    });
    dispatching?.done(stored.counts.stored);
    this.watermarks.advance(known, stored.verdicts);
    const { duplicate, revised } = stored.counts;
    this.cleanBatches = duplicate + revised === 0 ? this.cleanBatches + 1 : 0;
    return stored;
  }

  /** Counts, and news of the runs. Never throws: the batch is committed. */
  private async tell({ counts, runs }: StoredBatch): Promise<void> {
    for (const [outcome, count] of Object.entries(counts)) readingsTotal.inc({ outcome }, count);
    await announceRuns(this.broker, runs);
  }

  private giveUp(message: Waiting, error: unknown): void {
    this.log.error({ err: error }, 'a message could not be stored');
    this.settle([message], { kind: 'dead-letter', reason: messageOf(error) });
  }

  private settle(messages: readonly Waiting[], disposition: Disposition): void {
    messagesInHand -= messages.length;
    for (const { settle } of messages) settle(disposition);
  }
}

/** @param from where the targets of its readings begin */
function enrichedMessage({ delivery, settle, validated }: Validating, targets: Targets, from: number): Message {
  const { readings, rejections: refused } = validated;
  const size = readings.length + refused.length;
  const { known, unknown, rejections } = enrichReadings(readings, targets, from);
  const all = refused.length === 0 ? rejections : [...refused, ...rejections];
  return { delivery, settle, size, known, unknown, rejections: all };
}

/** Written out: a message mostly holds one reading, and lists of lists took longer than the readings in them. */
function joined(messages: readonly Message[]): Batch {
  if (messages.length === 1) return messages[0]!;
  const known: EnrichedReading[] = [];
  const unknown: ValidReading[] = [];
  const rejections: Rejection[] = [];
  for (const message of messages) {
    for (const reading of message.known) known.push(reading);
    for (const reading of message.unknown) unknown.push(reading);
    for (const rejection of message.rejections) rejections.push(rejection);
  }
  return { known, unknown, rejections };
}

/** Messages of one meter share a lane, by whatever name they call it. */
function laneOf({ known, unknown }: Message, lanes: number): number {
  const meter = known[0]?.target.meter ?? unknown[0]?.envelope.meter ?? '';
  let hash = 0;
  // The end of an id is random, that of a name counts up.
  for (let i = Math.max(0, meter.length - 8); i < meter.length; i++)
    hash = (Math.imul(hash, 31) + meter.charCodeAt(i)) | 0;
  return (hash >>> 0) % lanes;
}

/** The month of a reading was dropped since it was last looked at. */
function isMissingPartition(error: unknown): boolean {
  return sqlState(error) === CHECK_VIOLATION && /no partition/.test(messageOf(error));
}
