import type { ImportedReading } from './row-reader.js';

/** As other publishers do. */
const READINGS_PER_BUNDLE = 1_000;
/** Readings that wait for more of their meter: it bounds the memory of a file whose meters take turns. */
const MAX_WAITING = 50_000;

/** Readings of one meter, in the order of the file, that go in one message. */
export interface Bundle {
  /** From 0; the same for the same file and profile. */
  index: number;
  meter: string;
  firstRow: number;
  lastRow: number;
  /** Every row up to this one is in this bundle and those before it. */
  rowsComplete: number;
  readings: ImportedReading[];
}

type Waiting = Omit<Bundle, 'index' | 'rowsComplete'>;

/**
 * Groups the readings of a file by meter. What it makes depends on the readings alone, so that a repeated import makes
 * the same bundles, and one that was interrupted can go on behind the last that was confirmed.
 */
export class Bundler {
  /** Oldest first. */
  private readonly waiting = new Map<string, Waiting>();
  private count = 0;
  private made = 0;

  constructor(
    private readonly perBundle = READINGS_PER_BUNDLE,
    private readonly maxWaiting = MAX_WAITING,
  ) {}

  /** The bundles that are complete with the readings of this row. Rows rise. */
  add(row: number, readings: readonly ImportedReading[]): Bundle[] {
    const complete: Waiting[] = [];
    for (const reading of readings) {
      let bundle = this.waiting.get(reading.meter);
      if (!bundle) {
        bundle = { meter: reading.meter, firstRow: row, lastRow: row, readings: [] };
        this.waiting.set(reading.meter, bundle);
      }
      bundle.lastRow = row;
      bundle.readings.push(reading);
      this.count++;
      if (bundle.readings.length === this.perBundle) complete.push(this.take(bundle));
    }
    while (this.count > this.maxWaiting) complete.push(this.take(this.waiting.values().next().value!));
    return complete.map((bundle, index) => this.finish(bundle, row, complete.slice(index + 1)));
  }

  /** What waits for more, at the end of the file. */
  rest(row: number): Bundle[] {
    const left = [...this.waiting.values()];
    return left.map((bundle) => this.finish(this.take(bundle), row));
  }

  private take(bundle: Waiting): Waiting {
    this.waiting.delete(bundle.meter);
    this.count -= bundle.readings.length;
    return bundle;
  }

  private finish(bundle: Waiting, row: number, later: readonly Waiting[] = []): Bundle {
    const oldest = this.waiting.values().next().value;
    // A row may end in a bundle that is made after this one: it counts as complete with the next.
    const open = [...later.map(({ firstRow }) => firstRow), oldest?.firstRow ?? row];
    const rowsComplete = Math.min(row, ...open) - 1;
    return { ...bundle, index: this.made++, rowsComplete };
  }
}
