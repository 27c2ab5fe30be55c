import { pause } from '../retry.js';

/** Wakes one sleeper; a ring before it falls asleep is not lost. */
export class Wake {
  private rung = new AbortController();

  ring(): void {
    this.rung.abort();
  }

  /** Resolves at a ring, after `ms`, or when `signal` aborts. */
  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    await pause(ms, signal, this.rung.signal);
    if (this.rung.signal.aborted) this.rung = new AbortController();
  }
}
