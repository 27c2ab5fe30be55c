/** How many of something each caller holds open at once. */
export class Quota {
  private readonly held = new Map<string, number>();

  constructor(readonly most: number) {}

  /** @returns a function that gives it back, which may be called more than once; undefined when the caller has them all */
  take(caller: string): (() => void) | undefined {
    const count = this.held.get(caller) ?? 0;
    if (count >= this.most) return undefined;
    this.held.set(caller, count + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const left = this.held.get(caller)! - 1;
      if (left > 0) this.held.set(caller, left);
      else this.held.delete(caller);
    };
  }
}
