import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

/** Last lines of output, kept to explain a failure. */
const OUTPUT_LINES = 40;

/** Fast shutdown, then one without a checkpoint, then by force: each with the time it gets. */
const STOPS: readonly [NodeJS.Signals, number][] = [
  ['SIGINT', 20_000],
  ['SIGQUIT', 6_000],
  ['SIGKILL', 2_000],
];

/** A PostgreSQL program that was started, its output and its end. */
export class ServerProcess {
  /** Exit code; null when a signal ended it or it could not be started. */
  readonly exited: Promise<number | null>;
  private readonly lines: string[] = [];
  private readonly listeners = new Set<(line: string) => void>();

  constructor(private readonly child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface(stream).on('line', (line) => this.take(line));
    }
    this.exited = new Promise((resolve) => {
      child.once('error', (error) => {
        this.take(`error: ${error.message}`);
        resolve(null);
      });
      child.once('close', resolve);
    });
  }

  get output(): string {
    return this.lines.join('\n');
  }

  onLine(listener: (line: string) => void): void {
    this.listeners.add(listener);
  }

  /** True once a line holds `text`; false when the program ends or `timeoutMs` pass before. */
  async says(text: string, timeoutMs: number): Promise<boolean> {
    const said = new Promise<boolean>((resolve) => this.onLine((line) => line.includes(text) && resolve(true)));
    return within(Promise.race([said, this.exited.then(() => false)]), timeoutMs);
  }

  /** Sends a signal, if the program still runs. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends the program and waits for it. */
  async end(): Promise<void> {
    for (const [signal, timeoutMs] of STOPS) {
      this.signal(signal);
      if (
        await within(
          this.exited.then(() => true),
          timeoutMs,
        )
      )
        return;
    }
  }

  private take(line: string): void {
    this.lines.push(line);
    if (this.lines.length > OUTPUT_LINES) this.lines.shift();
    for (const listener of this.listeners) listener(line);
  }
}

/** Ends a process that is not our child; `runs` says whether it still is there. True when it has ended. */
export async function endForeign(pid: number, runs: () => boolean): Promise<boolean> {
  for (const [signal, timeoutMs] of STOPS) {
    if (!runs()) return true;
    process.kill(pid, signal);
    // Nothing tells about the end of another's child, so look.
    for (let waitedMs = 0; waitedMs < timeoutMs && runs(); waitedMs += 50) await delay(50);
  }
  return !runs();
}

async function within(event: Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const timer = new AbortController();
  const timeout = delay(timeoutMs, false, { signal: timer.signal }).catch(() => false);
  return Promise.race([event, timeout]).finally(() => timer.abort());
}
