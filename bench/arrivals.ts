/** When each reading of a plan was published and seen, by its place in the plan; milliseconds. */
export class Arrivals {
  private readonly publishedAt: Float64Array;
  private readonly tookMs: Float64Array;
  private readonly times: Uint16Array;
  private left: number;
  private resolveAll: () => void = () => undefined;
  /** Resolves when every reading was seen. */
  readonly allSeen = new Promise<void>((resolve) => (this.resolveAll = resolve));
  /** Readings that nobody published here. */
  strangers = 0;

  constructor(readings: number) {
    this.publishedAt = new Float64Array(readings);
    this.tookMs = new Float64Array(readings);
    this.times = new Uint16Array(readings);
    this.left = readings;
  }

  publish(position: number, at: number): void {
    this.publishedAt[position] = at;
  }

  see(position: number, at: number): void {
    const publishedAt = this.publishedAt[position];
    if (!publishedAt) {
      this.strangers++;
      return;
    }
    const times = (this.times[position] ?? 0) + 1;
    this.times[position] = times;
    if (times > 1) return;
    this.tookMs[position] = at - publishedAt;
    if (--this.left === 0) this.resolveAll();
  }

  get missing(): number {
    return this.left;
  }

  /** Readings seen more than once. */
  get repeated(): number {
    return this.times.filter((times) => times > 1).length;
  }

  /** Of the readings from a place on; Infinity for one that was not seen. */
  tookFrom(position: number): Float64Array {
    return this.tookMs.map((ms, index) => (this.times[index] ? ms : Infinity)).subarray(position);
  }
}
