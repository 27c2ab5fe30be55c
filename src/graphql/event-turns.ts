/** Longest stretch of work on events before everything else gets its turn. */
const SLICE_MS = 8;
/** Looks at the clock once for so many events. */
const EVENTS_PER_LOOK = 128;

/** Lets other work in now and then: `if (turns.over()) await turns.pass()` after each event. */
export class EventTurns {
  #since = performance.now();
  #events = 0;

  over(): boolean {
    if (++this.#events % EVENTS_PER_LOOK !== 0) return false;
    return performance.now() - this.#since > SLICE_MS;
  }

  async pass(): Promise<void> {
    await new Promise(setImmediate);
    this.#since = performance.now();
  }
}
