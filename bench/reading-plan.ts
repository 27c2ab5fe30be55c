/** Which readings a benchmark publishes: each message is a stretch of one meter's archive, and meter follows meter. */
export class ReadingPlan {
  /**
   * @param firstAt when the first reading of every meter was measured, milliseconds since the epoch
   * @param stepMs time between two readings of a meter
   */
  constructor(
    readonly meters: number,
    readonly perMessage: number,
    readonly firstAt: number,
    readonly stepMs: number,
  ) {}

  /** The reading at a place in the stream of all readings. */
  reading(position: number): { meter: number; measuredAt: string; value: string } {
    const message = Math.floor(position / this.perMessage);
    const step = Math.floor(message / this.meters) * this.perMessage + (position % this.perMessage);
    return {
      meter: message % this.meters,
      measuredAt: new Date(this.firstAt + step * this.stepMs).toISOString(),
      // Rises as the index of a meter does, and says which reading it is.
      value: `${position}.${String(position % 10_000).padStart(4, '0')}`,
    };
  }

  /** When the last of so many readings was measured, or a later one of them. */
  lastAt(readings: number): number {
    const rounds = Math.ceil(readings / this.perMessage / this.meters);
    return this.firstAt + rounds * this.perMessage * this.stepMs;
  }

  /** A message of the plan: in the short form when it holds one reading. */
  message(index: number): Buffer {
    const first = index * this.perMessage;
    if (this.perMessage === 1) return Buffer.from(JSON.stringify(named(this.reading(first))));
    const readings = Array.from({ length: this.perMessage }, (_, offset) => {
      const { measuredAt, value } = this.reading(first + offset);
      return { series: SERIES, timestamp: measuredAt, value, unit: 'kWh' };
    });
    return Buffer.from(JSON.stringify({ version: 1, meter: meterName(index % this.meters), readings }));
  }
}

export const SERIES = '1.8.0';
export const QUARTER_HOUR_MS = 900_000;
/** The place in its plan of a reading with this value. */
export const positionOf = (value: string) => Math.trunc(Number(value));

/** Long enough ago for every plan to end in the past: readings of the future are refused. */
export const FIRST_AT = Date.UTC(2025, 0, 1);

export const meterName = (meter: number) => `BENCH-${meter}`;
export const meterNumber = (name: string) => Number(name.slice('BENCH-'.length));

function named({ meter, measuredAt, value }: ReturnType<ReadingPlan['reading']>) {
  return { meter: meterName(meter), series: SERIES, timestamp: measuredAt, value };
}
