import { z } from 'zod';
import { canonicalDecimal } from '../domain/decimal.js';
import { ReadingOrigin } from '../domain/enums.js';
import type { Database } from '../db/database.js';
import type { ReadingItem } from '../messaging/contracts.js';
import { recordAudit } from './audit.js';
import { parseInput, text, whole } from './input.js';
import type { ReadingPublisher, UnsentReadings } from './reading-publisher.js';

const MAX_READINGS = 10_000;
const READINGS_PER_MESSAGE = 1_000;
const EARLIEST = Date.UTC(2000, 0, 1);
const readingsRule = `must have 1 to ${MAX_READINGS} readings`;
const timeRule = 'must be a time from the year 2000 on';
/** As ingesters want names: nothing is trimmed, as a blank more is another name. */
const named = (max: number) => text(max).min(1, { error: 'must not be empty' });

const Submission = z.object({
  readings: z
    .array(
      z.object({
        meter: named(150),
        series: named(150),
        timestamp: z.date({ error: timeRule }).min(new Date(EARLIEST), { error: timeRule }),
        value: z.string({ error: 'must be a decimal' }),
        unit: named(20).nullish(),
        status: whole(0, 0x7fffffff).nullish(),
      }),
      { error: readingsRule },
    )
    .min(1, { error: readingsRule })
    .max(MAX_READINGS, { error: readingsRule }),
  origin: z.enum([ReadingOrigin.PUSH, ReadingOrigin.IMPORT], { error: 'must be PUSH or IMPORT' }).nullish(),
  collectedAt: z.date({ error: 'must be a time' }).nullish(),
});
export type SubmitReadings = Omit<z.input<typeof Submission>, 'origin'> & { origin?: ReadingOrigin | null };

/** Readings that come through the API: they go the way of all readings. */
export class ReadingSubmissionService {
  constructor(
    private readonly publisher: ReadingPublisher,
    private readonly database: Pick<Database, 'pool'>,
  ) {}

  /** The number of readings, when the broker has confirmed all. A failure may leave some in; sending again is harmless. */
  async submit(organizationId: string, input: SubmitReadings): Promise<number> {
    const { readings, origin, collectedAt } = parseInput(Submission, input);
    const messages = parts(readings).map(([meter, items]): UnsentReadings => ({
      version: 1,
      organization: organizationId,
      meter_device: meter,
      origin: origin ?? ReadingOrigin.PUSH,
      collected_at: (collectedAt ?? new Date()).toISOString(),
      readings: items,
    }));
    // Before them: what came in without an entry could not be told from what a meter sent.
    await recordAudit(this.database.pool, {
      organization: organizationId,
      action: 'submitReadings',
      subjectType: 'MeterReading',
      after: {
        readings: readings.length,
        meters: new Set(readings.map(({ meter }) => meter)).size,
        origin: origin ?? ReadingOrigin.PUSH,
      },
    });
    await Promise.all(messages.map((message) => this.publisher.publish(message)));
    return readings.length;
  }
}

/** The readings by meter, in their order, as many as go in one message. */
function parts(readings: z.output<typeof Submission>['readings']): [meter: string, items: ReadingItem[]][] {
  const meters = new Map<string, ReadingItem[]>();
  for (const { meter, series, timestamp, value, unit, status } of readings) {
    const items = meters.get(meter) ?? [];
    meters.set(meter, items);
    items.push({
      series,
      timestamp: timestamp.toISOString(),
      value: canonicalDecimal(value),
      unit: unit ?? undefined,
      status: status ?? undefined,
    });
  }
  const all: [string, ReadingItem[]][] = [];
  for (const [meter, items] of meters) {
    for (let from = 0; from < items.length; from += READINGS_PER_MESSAGE)
      all.push([meter, items.slice(from, from + READINGS_PER_MESSAGE)]);
  }
  return all;
}
