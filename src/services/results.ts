import type pg from 'pg';
import { Histogram } from 'prom-client';
import type { Config } from '../config.js';
import { inTransaction } from '../db/database.js';
import { isTransient } from '../db/errors.js';
import { messageOf } from '../errors.js';
import { ACK, REQUEUE, type Broker, type Delivery, type Disposition } from '../messaging/broker.js';
import { decode, ResultMessage } from '../messaging/contracts.js';
import { backoff, pause } from '../retry.js';
import { metrics, type Logger } from '../telemetry.js';
import { bookResults } from './result-booking.js';
import { announceRuns } from './run-events.js';

/** Messages booked in one transaction, at most. */
const BATCH = 500;

const bookSeconds = new Histogram({
  name: 'amr_results_book_seconds',
  help: 'Time to book one batch of what pollers reported.',
  buckets: [0.005, 0.02, 0.1, 0.3, 1, 3, 10],
  registers: [metrics],
});

/** A heartbeat older than this is not booked. */
const HEARTBEAT_KEPT_MS = 30_000;

interface Waiting {
  message: ResultMessage;
  settle: (disposition: Disposition) => void;
}

/**
 * Books what pollers report on `amr.results`: what arrives while one batch is being booked is the next batch. A message
 * may come twice and in any order: each names its session, and a run only takes the word of the session that carries it,
 * so an older attempt changes nothing.
 */
export class ResultsBook {
  private readonly waiting: Waiting[] = [];
  private booking = false;

  constructor(
    private readonly pool: pg.Pool,
    private readonly broker: Broker,
    private readonly timings: Pick<Config, 'sessionCapMs'>,
    private readonly log: Logger,
    private readonly signal: AbortSignal,
  ) {}

  /** Resolves when the message is booked, or goes back because of a stop during an outage. */
  readonly handle = (delivery: Delivery): Promise<Disposition> => {
    const decoded = decode(ResultMessage, delivery.body);
    if (!decoded.ok) return Promise.resolve({ kind: 'dead-letter', reason: decoded.reason });
    if (decoded.message.type === 'heartbeat' && isStale(delivery)) return Promise.resolve(ACK);
    return new Promise((settle) => {
      this.waiting.push({ message: decoded.message, settle });
      if (!this.booking) void this.pump();
    });
  };

  private async pump(): Promise<void> {
    this.booking = true;
    // What has been delivered together is handed over one by one: the turn's end gathers it.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.waiting.length > 0) await this.book(this.waiting.splice(0, BATCH));
    this.booking = false;
  }

  /** Never throws. However long the database is away; a batch that the database refuses is halved until the culprit is alone. */
  private async book(batch: readonly Waiting[]): Promise<void> {
    const settle = (disposition: Disposition) => batch.forEach((waiting) => waiting.settle(disposition));
    for (const delay of backoff(200, 10_000)) {
      try {
        const stop = bookSeconds.startTimer();
        const messages = batch.map(({ message }) => message);
        const changed = await inTransaction(this.pool, (client) => bookResults(client, messages, this.timings));
        stop();
        settle(ACK);
        return await announceRuns(this.broker, changed);
      } catch (error) {
        if (isTransient(error)) {
          if (this.signal.aborted) return settle(REQUEUE);
          this.log.warn({ err: messageOf(error), messages: batch.length }, 'results wait for the database');
          await pause(delay, this.signal);
        } else if (batch.length > 1) {
          const middle = Math.ceil(batch.length / 2);
          await this.book(batch.slice(0, middle));
          return this.book(batch.slice(middle));
        } else {
          this.log.error({ err: error }, 'a result could not be booked');
          return settle({ kind: 'dead-letter', reason: messageOf(error) });
        }
      }
    }
  }
}

/** A heartbeat that waited while no scheduler ran says nothing of now: its worker may be gone. */
function isStale({ publishedAt }: Delivery): boolean {
  return publishedAt !== undefined && Date.now() - publishedAt > HEARTBEAT_KEPT_MS;
}
