import { z } from 'zod';
import { isDecimal } from '../domain/decimal.js';
import { parseInstant } from '../domain/instant.js';
import { MeterError } from '../errors.js';
import { objectName, parseAddress, wireAddress } from '../protocols/lis200/address.js';
import { formatMeterTime } from '../protocols/lis200/meter-time.js';
import { canonicalUnit } from '../protocols/lis200/units.js';
import { readValue } from '../protocols/lis200/values.js';
import type { CallOutcome, TaskCallDescription } from './execution-context.js';
import { parseKwargs } from './kwargs.js';
import { parseArchiveResume, readArchive } from './lis200-archive.js';
import { setTime } from './lis200-set-time.js';
import type { Lis200Session } from './lis200-session.js';

/**
 * A task call together with what it does. `execute` writes into `outcome` as it goes: a failure keeps what was read.
 * `resume` is what an earlier try left in its outcome, unchecked.
 */
export interface Lis200Call extends TaskCallDescription {
  execute(session: Lis200Session, kwargs: unknown, outcome: CallOutcome, resume?: unknown): Promise<void>;
}

function defineCall<Schema extends z.ZodType<Record<string, unknown>>>(
  definition: Omit<Lis200Call, 'kwargs' | 'execute'> & {
    kwargs: Schema;
    execute(session: Lis200Session, kwargs: z.infer<Schema>, outcome: CallOutcome, resume?: unknown): Promise<void>;
  },
): Lis200Call {
  return {
    ...definition,
    async execute(session, kwargs, outcome, resume) {
      const parsed = parseKwargs(definition, kwargs);
      if (!parsed.ok) throw new MeterError('BAD_KWARGS', parsed.problem.message);
      await definition.execute(session, parsed.kwargs as z.infer<Schema>, outcome, resume);
    },
  };
}

const instant = z.string().refine((text) => parseInstant(text) !== undefined, {
  error: 'must be an ISO 8601 date and time with an offset, such as 2026-01-31T10:00:00+01:00',
});

const archiveSelection = {
  archive_number: z
    .number()
    .int()
    .min(1)
    .max(99)
    .default(3)
    .describe('Archive to read; 3 holds the measurement periods of volume converters.'),
  control_position: z
    .number()
    .int()
    .min(1)
    .max(99)
    .default(3)
    .describe('Column, from 1, that holds the time of a row: 3 on EK and DL devices, 2 on TC devices.'),
};

const readSingleValue = defineCall({
  name: 'read_single_value',
  description: 'Reads one object now. A measurement becomes a reading at the time of collection.',
  writesToMeter: false,
  idempotent: true,
  kwargs: z.strictObject({
    address: z
      .string()
      .refine((text) => isValueAddress(text), { error: 'must be an address of one value, such as 2:302.0' })
      .describe('Object to read, `instance:object[_subindex][.attribute]`, such as 2:302.0.'),
  }),
  async execute(session, { address: text }, outcome) {
    const address = parseAddress(text)!;
    const { value, unit: rawUnit } = await session.read(() => readValue(address));
    const readAt = session.now();
    const unit = canonicalUnit(rawUnit);
    const isValue = address.attribute === '0';
    const name = isValue ? objectName(address) : wireAddress(address);
    outcome.result = { address: name, value, unit: unit ?? null, read_at: new Date(readAt).toISOString() };
    // A number without a unit that is no measurement is a name or a setting, such as the serial number.
    const measured = session.profile.readings.has(name) || unit !== undefined;
    if (!isValue || !measured || !isDecimal(value)) return;
    const series = session.profile.series.get(name) ?? name;
    outcome.readings.push({ series, measuredAt: readAt, value, ...(unit === undefined ? {} : { unit }) });
  },
});

function isValueAddress(text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && address.object !== 'V';
}

const readArchiveByDate = defineCall({
  name: 'read_archive_by_date',
  description: 'Reads the rows of an archive whose time lies in a range, both ends included.',
  writesToMeter: false,
  idempotent: true,
  kwargs: z
    .strictObject({
      start_date: instant.describe('Time of the oldest row wanted, ISO 8601 with offset.'),
      end_date: instant
        .optional()
        .describe('Time of the newest row wanted, ISO 8601 with offset. Not set: all newer rows.'),
      ...archiveSelection,
    })
    .refine(
      ({ start_date, end_date }) => end_date === undefined || parseInstant(end_date)! > parseInstant(start_date)!,
      {
        error: 'must be later than start_date',
        path: ['end_date'],
        when: ({ issues }) => issues.length === 0,
      },
    ),
  async execute(session, { start_date, end_date, ...selection }, outcome, resume) {
    const zone = await session.zone();
    const limit = (text: string) => formatMeterTime(zone.toWall(parseInstant(text)!));
    const to = end_date === undefined ? '' : limit(end_date);
    const earlier = parseArchiveResume(resume);
    await readArchive(session, { ...range(selection), from: limit(start_date), to }, outcome, earlier?.last);
  },
  // The range says what is read, not the slot: once is enough for any number of them.
  mergeSlots: (kwargs) => kwargs,
});

const offsetKwargs = z.strictObject({
  offset_seconds: z
    .number()
    .int()
    .min(1)
    .max(20 * 366 * 86_400)
    .describe(
      "How far back from the meter's clock to read, in seconds. Let it overlap the run before: duplicates are stored once.",
    ),
  ...archiveSelection,
});

const readArchiveByOffsetSeconds = defineCall({
  name: 'read_archive_by_offset_seconds',
  description: "Reads the newest rows of an archive: those from the meter's own time minus an offset on.",
  writesToMeter: false,
  idempotent: true,
  kwargs: offsetKwargs,
  async execute(session, { offset_seconds, ...selection }, outcome, resume) {
    const { meterMs, deviationSeconds } = await session.measureClock();
    outcome.clockDeviationSeconds = deviationSeconds;
    const zone = await session.zone();
    const earlier = parseArchiveResume(resume);
    // The window of the first try: the clock has moved on since, and the rows it left behind were asked for.
    const from = earlier?.from ?? formatMeterTime(zone.toWall(meterMs - offset_seconds * 1000));
    await readArchive(session, { ...range(selection), from, to: '' }, outcome, earlier?.last);
  },
  mergeSlots(kwargs, spanSeconds) {
    const longer = { ...kwargs, offset_seconds: Number(kwargs['offset_seconds']) + spanSeconds };
    return offsetKwargs.safeParse(longer).success ? longer : undefined;
  },
});

function range({ archive_number, control_position }: { archive_number: number; control_position: number }) {
  return { archive: archive_number, position: control_position };
}

const setTimeCall = defineCall({
  name: 'set_time',
  description:
    "Sets the meter's clock when it deviates, and reads it back. Opens the supplier lock with the `password` credential.",
  writesToMeter: true,
  // Whatever happened to the first try, a second one sets the clock to the time that is right then.
  idempotent: true,
  kwargs: z
    .strictObject({
      allowed_drift_seconds: z
        .number()
        .min(0)
        .max(3600)
        .default(5)
        .describe('A deviation up to this is left alone, in seconds.'),
      maximum_drift_seconds: z
        .number()
        .positive()
        .default(900)
        .describe(
          'A larger deviation is an error and not corrected, as setting it leaves a hole in the archives. Seconds.',
        ),
    })
    .refine((kwargs) => kwargs.maximum_drift_seconds >= kwargs.allowed_drift_seconds, {
      error: 'must not be below allowed_drift_seconds',
      path: ['maximum_drift_seconds'],
      when: ({ issues }) => issues.length === 0,
    }),
  execute: (session, kwargs, outcome) =>
    setTime(
      session,
      { allowedSeconds: kwargs.allowed_drift_seconds, maximumSeconds: kwargs.maximum_drift_seconds },
      outcome,
    ),
});

/** The task calls of `generic_lis200`, by name. */
export const lis200Calls: ReadonlyMap<string, Lis200Call> = new Map(
  [readSingleValue, readArchiveByDate, readArchiveByOffsetSeconds, setTimeCall].map((call) => [call.name, call]),
);
