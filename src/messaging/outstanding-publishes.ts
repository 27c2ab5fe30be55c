import { PublishError, type PublishOptions } from './broker.js';
import { publishMetrics } from './messaging-metrics.js';
import type { PublishTarget } from './topology.js';

const MAX_MESSAGES = 100_000;
const MAX_BYTES = 256 * 1024 * 1024;
const DEFAULT_CONFIRM_TIMEOUT_MS = 30_000;
/** How late a deadline may be noticed. */
const SWEEP_MS = 100;

/** A publish that is neither confirmed nor failed yet, with the message as the broker at hand needs it. */
export interface OutstandingPublish<Message> {
  readonly target: PublishTarget;
  readonly message: Message;
  readonly bytes: number;
  /** On the clock of `performance.now()`. */
  readonly deadline: number;
  readonly resolve: () => void;
  readonly reject: (error: PublishError) => void;
}

/**
 * The publishes that wait for their confirm, in the order they were made; bounded in number and bytes. One sweeping
 * timer serves all deadlines: a timer per message would cost more than the message.
 */
export class OutstandingPublishes<Message> implements Iterable<OutstandingPublish<Message>> {
  private readonly waiting = new Set<OutstandingPublish<Message>>();
  private bytes = 0;
  private closed = false;
  private onEmpty: (() => void) | undefined;
  private readonly sweeper = setInterval(() => this.sweep(), SWEEP_MS).unref();

  [Symbol.iterator](): Iterator<OutstandingPublish<Message>> {
    return this.waiting.values();
  }

  /** Hands a new publish to `send`. The promise settles by `confirm`, by `fail` or at the deadline. */
  open(
    target: PublishTarget,
    message: Message,
    bytes: number,
    options: PublishOptions,
    send: (publish: OutstandingPublish<Message>) => void,
  ): Promise<void> {
    const refusal = this.refusal(bytes);
    if (refusal) {
      publishMetrics[target].failed.inc();
      return Promise.reject(new PublishError(`The message for ${target} was not published: ${refusal}`));
    }
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + (options.confirmTimeoutMs ?? DEFAULT_CONFIRM_TIMEOUT_MS);
      const publish = { target, message, bytes, deadline, resolve, reject };
      this.waiting.add(publish);
      this.bytes += bytes;
      send(publish);
    });
  }

  /** Does nothing when the publish has been settled already; so does `fail`. */
  confirm(publish: OutstandingPublish<Message>): void {
    if (!this.remove(publish)) return;
    publishMetrics[publish.target].published.inc();
    publish.resolve();
  }

  fail(publish: OutstandingPublish<Message>, reason: string): void {
    if (!this.remove(publish)) return;
    publishMetrics[publish.target].failed.inc();
    publish.reject(new PublishError(`The message for ${publish.target} was not confirmed: ${reason}`));
  }

  /** Refuses new publishes, waits up to `waitMs` for the outstanding ones, then fails the rest. */
  async close(waitMs: number): Promise<void> {
    this.closed = true;
    if (this.waiting.size > 0 && waitMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs);
        this.onEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    for (const publish of this.waiting) this.fail(publish, 'the broker was closed first');
    clearInterval(this.sweeper);
  }

  private refusal(bytes: number): string | undefined {
    if (this.closed) return 'the broker is closed';
    if (this.waiting.size >= MAX_MESSAGES) return `${MAX_MESSAGES} messages wait for their confirm already`;
    if (this.bytes + bytes > MAX_BYTES) return `more than ${MAX_BYTES} bytes would wait for their confirm`;
    return undefined;
  }

  private remove(publish: OutstandingPublish<Message>): boolean {
    if (!this.waiting.delete(publish)) return false;
    this.bytes -= publish.bytes;
    if (this.waiting.size === 0) this.onEmpty?.();
    return true;
  }

  private sweep(): void {
    const now = performance.now();
    for (const publish of this.waiting) {
      if (publish.deadline <= now) this.fail(publish, 'its confirm did not arrive in time');
    }
  }
}
