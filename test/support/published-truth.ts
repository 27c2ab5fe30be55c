import { ReadingOrigin } from '../../src/domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import type { ReadingPublisher, UnsentReadings } from '../../src/services/reading-publisher.js';

const SERIES = '1-0:1.8.0';
const READINGS = 25;
const FIRST = Date.UTC(2026, 0, 1);

type Outcome = 'stored' | 'duplicate' | 'revised' | 'staged' | 'dead_lettered';

/** What a test publishes, and what has to become of it: reckoned here, without the product. */
export class PublishedTruth {
  /** `meter series time` → value of every reading that must be stored. */
  readonly values = new Map<string, string>();
  /** Readings by what became of them; all of them were published. */
  readonly outcomes: Record<Outcome, number> = { stored: 0, duplicate: 0, revised: 0, staged: 0, dead_lettered: 0 };
  /** Of unknown meters, as `values`. */
  private readonly waiting = new Map<string, string>();
  private readonly tooOld = new Map<string, string>();
  private seconds = 0;

  /** @param meters names of meters that exist */
  constructor(private readonly meters: readonly string[]) {}

  get published(): number {
    return Object.values(this.outcomes).reduce((sum, count) => sum + count, 0);
  }

  /** New readings of `meter`. */
  fresh(meter = this.meters[0]!, count = READINGS): UnsentReadings {
    const readings = Array.from({ length: count }, () => this.next());
    for (const { timestamp, value } of readings) this.values.set(keyOf(meter, timestamp), value);
    this.outcomes.stored += count;
    return messageOf(meter, readings);
  }

  /** New readings of `meter`, which does not exist yet. */
  unknown(meter: string, count = READINGS): UnsentReadings {
    const readings = Array.from({ length: count }, () => this.next());
    for (const { timestamp, value } of readings) this.waiting.set(keyOf(meter, timestamp), value);
    this.outcomes.staged += count;
    return messageOf(meter, readings);
  }

  /** `meter` has been created: its readings leave the stage. */
  created(meter: string): void {
    for (const [key, value] of this.waiting) {
      if (!key.startsWith(`${meter} `)) continue;
      this.waiting.delete(key);
      this.values.set(key, value);
      this.move('staged', 'stored');
    }
  }

  /** One reading that is refused, and the ingester may take later: it was measured in 2010. */
  old(meter = this.meters[0]!): UnsentReadings {
    const { timestamp, value } = this.next();
    const reading = { timestamp: timestamp.replace('2026', '2010'), value };
    this.tooOld.set(keyOf(meter, reading.timestamp), value);
    this.outcomes.dead_lettered++;
    return messageOf(meter, [reading]);
  }

  /** What was refused of `meter` has been redriven to an ingester that takes it. */
  redriven(meter: string): void {
    for (const [key, value] of this.tooOld) {
      if (!key.startsWith(`${meter} `)) continue;
      this.tooOld.delete(key);
      this.values.set(key, value);
      this.move('dead_lettered', 'stored');
    }
  }

  /** One reading that is always refused. */
  refused(): UnsentReadings {
    this.outcomes.dead_lettered++;
    return messageOf(this.meters[0]!, [{ ...this.next(), value: `${this.seconds} or so` }]);
  }

  /** Of each kind one message, and new readings of every meter; none changes what others store. */
  everything(): UnsentReadings[] {
    // Of what is known already: once with its value, once with another that came later.
    const [known, value] = [...this.values][0]!;
    const [meter, , timestamp] = known.split(' ') as [string, string, string];
    const again = messageOf(meter, [{ timestamp, value }]);
    this.outcomes.duplicate++;
    const other = messageOf(meter, [{ timestamp, value: String(1_000_000 + this.seconds) }]);
    this.outcomes.revised++;
    const unknown = this.unknown(`unknown-${this.seconds}`, 3);
    return [this.refused(), ...this.meters.map((name) => this.fresh(name)), again, other, unknown];
  }

  private next(): { timestamp: string; value: string } {
    const number = ++this.seconds;
    return { timestamp: new Date(FIRST + number * 1000).toISOString(), value: `${number}.5` };
  }

  private move(from: Outcome, to: Outcome): void {
    this.outcomes[from]--;
    this.outcomes[to]++;
  }
}

/** One message after another, in this order. */
export async function publishAll(publisher: ReadingPublisher, messages: readonly UnsentReadings[]): Promise<void> {
  for (const message of messages) await publisher.publish(message);
}

function messageOf(meter: string, readings: readonly { timestamp: string; value: string }[]): UnsentReadings {
  return {
    version: 1,
    organization: DEFAULT_ORGANIZATION_ID,
    meter_device: meter,
    origin: ReadingOrigin.PUSH,
    collected_at: new Date().toISOString(),
    readings: readings.map((reading) => ({ series: SERIES, ...reading })),
  };
}

const keyOf = (meter: string, timestamp: string): string => `${meter} ${SERIES} ${timestamp}`;
