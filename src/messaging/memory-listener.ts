import { messageOf } from '../errors.js';
import type { Logger } from '../telemetry.js';
import type { Consumer } from './broker.js';
import { LISTENER_BACKLOG } from './topology.js';

/** One listener: a backlog that drops its oldest when full, handed over in the next turn of the event loop. */
export class MemoryListener implements Consumer {
  private backlog: Buffer[] = [];

  constructor(
    private readonly listener: (body: Buffer) => void,
    private readonly log: Logger,
    private readonly onEnd: (listener: MemoryListener) => void,
  ) {}

  offer(body: Buffer): void {
    if (this.backlog.length >= LISTENER_BACKLOG) this.backlog.shift();
    if (this.backlog.push(body) === 1) setImmediate(() => this.deliver());
  }

  async drain(): Promise<void> {
    this.backlog = [];
    this.onEnd(this);
  }

  private deliver(): void {
    const bodies = this.backlog;
    this.backlog = [];
    for (const body of bodies) {
      try {
        this.listener(body);
      } catch (error) {
        this.log.error({ err: error }, `a listener failed: ${messageOf(error)}`);
      }
    }
  }
}
