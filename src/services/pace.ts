/**
 * Lets a few through in each turn of the event loop: thousands of sessions that come in one burst would otherwise hold
 * up those at their meters for a second. Who comes when nobody waits goes through at once.
 */
export class Pace {
  private readonly waiting: (() => void)[] = [];
  private left: number;
  private turning = false;

  constructor(private readonly perTurn: number) {
    this.left = perTurn;
  }

  /** Resolves when it is the caller's turn, first come, first served. */
  turn(): Promise<void> {
    this.renew();
    if (this.left > 0) {
      this.left--;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private renew(): void {
    if (this.turning) return;
    this.turning = true;
    setImmediate(() => {
      this.turning = false;
      const through = this.waiting.splice(0, this.perTurn);
      this.left = this.perTurn - through.length;
      if (this.waiting.length > 0 || through.length > 0) this.renew();
      for (const resolve of through) resolve();
    });
  }
}
