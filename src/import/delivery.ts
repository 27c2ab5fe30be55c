import type { ReadingItem } from '../messaging/contracts.js';
import { backoff, pause } from '../retry.js';
import type { Bundle } from './bundler.js';

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 10_000;
/** A broker or API that is away longer ends the import; started again, it goes on. */
const PATIENCE_MS = 120_000;

/** A message of an import. */
export interface ImportMessage {
  meter: string;
  /** ISO 8601. */
  collectedAt: string;
  readings: ReadingItem[];
}

/** Where an import goes. */
export interface Destination {
  /** Such as `RabbitMQ 4.1 at host:5672`. */
  readonly description: string;
  /** Messages that may wait for their confirm at once. */
  readonly maxInFlight: number;
  /** Called once for each meter, before its first reading. */
  meet(meter: string): Promise<void>;
  /** Resolves when the message is confirmed. */
  send(message: ImportMessage): Promise<void>;
  /** Whether another try of a send that failed so can help. */
  isPassing(error: unknown): boolean;
  close(): Promise<void>;
}

/** Identifies the file and how it is read: the same identity makes the same messages. */
export interface ImportIdentity {
  /** SHA-256 of the file, hex. */
  digest: string;
  settings: string;
  collectedAt: string;
}

/**
 * The same for the same file and settings. Its id is the publisher's, a new one each time: by it the account of published
 * readings tells a message that comes twice from readings that are sent twice.
 */
export function messageOfBundle({ collectedAt }: ImportIdentity, { meter, readings }: Bundle): ImportMessage {
  return {
    meter,
    collectedAt,
    readings: readings.map(({ series, measuredAt, value, unit, status }) => ({
      series,
      timestamp: new Date(measuredAt).toISOString(),
      value,
      unit,
      status: status || undefined,
    })),
  };
}

/**
 * Sends bundles: several at once, those of one meter one after another. What fails for a passing reason is sent again,
 * for up to two minutes. Tells how far everything is confirmed without a gap.
 */
export class Delivery {
  /** Bundles confirmed without a gap, counted from the first of the file. */
  confirmed: number;
  rowsConfirmed = 0;
  readingsConfirmed = 0;
  private failure: { error: unknown } | undefined;
  private readonly inFlight = new Set<Promise<void>>();
  private readonly lastOfMeter = new Map<string, Promise<void>>();
  private readonly ahead = new Map<number, Bundle>();

  constructor(
    private readonly destination: Destination,
    private readonly identity: ImportIdentity,
    private readonly signal: AbortSignal,
    startAt: { messages: number; rows: number },
  ) {
    this.confirmed = startAt.messages;
    this.rowsConfirmed = startAt.rows;
  }

  /** Resolves when there is room for another. Throws what made an earlier one fail. */
  async offer(bundle: Bundle): Promise<void> {
    const before = this.lastOfMeter.get(bundle.meter) ?? this.destination.meet(bundle.meter);
    const sent = before
      .then(() => this.send(bundle))
      .catch((error: unknown) => void (this.failure ??= { error }))
      .finally(() => {
        this.inFlight.delete(sent);
        if (this.lastOfMeter.get(bundle.meter) === sent) this.lastOfMeter.set(bundle.meter, DONE);
      });
    this.lastOfMeter.set(bundle.meter, sent);
    this.inFlight.add(sent);
    while (this.inFlight.size >= this.destination.maxInFlight) await Promise.race(this.inFlight);
    this.throwFailure();
  }

  /** Waits for what is in flight. Throws what made one fail. */
  async settle(): Promise<void> {
    await Promise.all(this.inFlight);
    this.throwFailure();
  }

  private throwFailure(): void {
    if (this.failure) throw this.failure.error;
  }

  private async send(bundle: Bundle): Promise<void> {
    // After a failure nothing more goes out: a gap would be filled at the next start only.
    this.throwFailure();
    const message = messageOfBundle(this.identity, bundle);
    const delays = backoff(RETRY_FIRST_MS, RETRY_MAX_MS);
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        await this.destination.send(message);
        return this.confirm(bundle);
      } catch (error) {
        if (!this.destination.isPassing(error) || performance.now() > deadline || this.signal.aborted) throw error;
        await pause(delays.next().value, this.signal);
      }
    }
  }

  private confirm(bundle: Bundle): void {
    this.readingsConfirmed += bundle.readings.length;
    this.ahead.set(bundle.index, bundle);
    for (let next = this.ahead.get(this.confirmed); next; next = this.ahead.get(this.confirmed)) {
      this.ahead.delete(this.confirmed++);
      this.rowsConfirmed = Math.max(this.rowsConfirmed, next.rowsComplete);
    }
  }
}

const DONE = Promise.resolve();
