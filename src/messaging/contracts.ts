import { z } from 'zod';
import { METER_ERROR_CODES } from '../errors.js';
import { NetworkInterfaceKind, ReadingOrigin } from '../domain/enums.js';

/** Message bodies, snake_case JSON, parsed once on arrival. `docs/messages.md` describes them for integrators. */

const json = z.json();
const jsonObject = z.record(z.string(), json);

/** How a poller reaches a meter. */
export const Connection = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal(NetworkInterfaceKind.TCP),
    host: z.string().min(1),
    port: z.number().int().min(1).max(65535),
  }),
  z.object({
    kind: z.literal(NetworkInterfaceKind.SERIAL),
    path: z.string().min(1),
    baud_rate: z.number().int().positive().optional(),
  }),
]);
export type Connection = z.infer<typeof Connection>;

/**
 * One connection to one meter, carrying one or more calls. Durations only, no absolute times: the clocks of scheduler
 * and poller need not agree.
 */
export const PollSessionMessage = z.object({
  version: z.literal(1),
  session: z.uuid(),
  /** How often these runs have been dispatched, this time included. */
  attempt: z.number().int().min(1),
  organization: z.uuid(),
  origin: z.enum([ReadingOrigin.SCHEDULED, ReadingOrigin.ON_DEMAND, ReadingOrigin.BACKFILL]),
  meter: z.object({
    id: z.uuid(),
    name: z.string(),
    serial_number: z.string().optional(),
    protocol_address: z.string().optional(),
    manufacturer: z.string().optional(),
    model: z.string().optional(),
    time_zone: z.string(),
  }),
  connection: Connection,
  /** Base64 of the sealed box; opened only in the poller. */
  sealed_credentials: z.string().optional(),
  calls: z
    .array(
      z.object({
        run: z.uuid(),
        meter_execution_type: z.string(),
        task_call: z.string(),
        task_kwargs: jsonObject,
        /** Where an earlier try of the run stopped, in the words of the call. */
        resume: jsonObject.optional(),
      }),
    )
    .min(1),
  start_by_ms: z.number().int().positive(),
  session_cap_ms: z.number().int().positive(),
});
export type PollSessionMessage = z.infer<typeof PollSessionMessage>;

/** One value of one series at one time. */
export const ReadingItem = z.object({
  series: z.string(),
  timestamp: z.string(),
  value: z.string(),
  unit: z.string().optional(),
  status: z.number().int().optional(),
});
export type ReadingItem = z.infer<typeof ReadingItem>;

/** `NewMeterReading` as the product's own publishers write it: all readings of one call on one meter. */
export interface NewMeterReadingMessage {
  version: 1;
  message_id: string;
  organization: string;
  /** Id of the `MeterDevice`. */
  meter_device: string;
  origin: ReadingOrigin;
  task_run?: string;
  collected_at: string;
  /** With `publisher`: when it was handed to the broker, ISO 8601. Its outcomes are booked to this minute. */
  published_at?: string;
  /** Id of a publisher that reports what it publishes, see `published` of `ResultMessage`. */
  publisher?: string;
  readings: ReadingItem[];
}

/** Poller to scheduler, on `amr.results`. */
export const ResultMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('session_started'), session: z.uuid() }),
  z.object({
    type: z.literal('run_finished'),
    session: z.uuid(),
    run: z.uuid(),
    ok: z.boolean(),
    /** Readings that were read and confirmed by the broker, also of a call that failed half-way. */
    reading_count: z.number().int().min(0),
    error: z.object({ code: z.enum(METER_ERROR_CODES), message: z.string(), phase: z.string().optional() }).optional(),
    result: jsonObject.optional(),
    /** Of a failed call that kept what it had read: where the next try goes on. */
    resume: jsonObject.optional(),
  }),
  z.object({
    type: z.literal('session_finished'),
    session: z.uuid(),
    /** `lost`: delivered a second time, so nobody knows what the first poller did with it. */
    outcome: z.enum(['done', 'lost']),
    duration_ms: z.number().min(0),
    /** Whether the network interface was reached; absent where that is not known. */
    reached: z.boolean().optional(),
    /** Why it was not reached. */
    unreachable_reason: z.string().optional(),
    clock_deviation_seconds: z.number().optional(),
    poller: z.string(),
  }),
  z.object({
    type: z.literal('heartbeat'),
    /** Made anew at each start of the process. */
    worker: z.uuid(),
    kind: z.literal('poller'),
    host: z.string(),
    pid: z.number().int(),
    version: z.string(),
    queues: z.array(z.string()),
    max_sessions: z.number().int().min(0).max(1_000_000),
    open_sessions: z.number().int().min(0).max(1_000_000),
    /** Its last words. */
    stopped: z.boolean().optional(),
  }),
  /** Readings that the broker has confirmed to one publisher. Totals, not increments: a report may come twice. */
  z.object({
    type: z.literal('published'),
    publisher: z.uuid(),
    minutes: z
      .array(
        z.object({
          organization: z.uuid(),
          /** Start of the minute, as in `published_at` of the messages. */
          minute: z.iso.datetime(),
          readings: z.number().int().min(0),
          /** Nothing of this minute is outstanding: the total is final. */
          closed: z.boolean(),
        }),
      )
      .max(1_000),
  }),
]);
export type ResultMessage = z.infer<typeof ResultMessage>;

/** Broadcast on `amr.control`. Best effort: whom it does not concern ignores it. */
export const ControlMessage = z.discriminatedUnion('type', [
  /** To pollers; repeated until confirmed. */
  z.object({ type: z.literal('cancel_runs'), runs: z.array(z.uuid()) }),
  /** To ingesters: rows of these meters, or of the whole organization, changed; what is cached of them is read again. */
  z.object({
    type: z.literal('rows_changed'),
    organization: z.uuid(),
    meters: z.array(z.uuid()).max(10_000).optional(),
  }),
  /** To servers: these API tokens are good for nothing from now on. */
  z.object({ type: z.literal('tokens_revoked'), tokens: z.array(z.uuid()) }),
]);
export type ControlMessage = z.infer<typeof ControlMessage>;

/** One register's share of a committed batch, as parallel arrays. */
export const CommittedColumns = z.object({
  register: z.number().int(),
  meter: z.uuid(),
  series: z.string(),
  unit: z.string().nullable(),
  origin: z.enum(ReadingOrigin),
  /** Where the meter was installed when these were measured, with the references of billing. */
  place: z
    .object({ metering_point: z.uuid(), customer: z.string().nullable(), tariff: z.string().nullable() })
    .optional(),
  /** True where the readings took the place of other values: revisions that became current. */
  revised: z.boolean().optional(),
  /** Indexes of readings that are older than one of the register that was stored before. */
  late: z.array(z.number().int()).optional(),
  /** Milliseconds since the epoch. */
  t: z.array(z.number()),
  v: z.array(z.string()),
  q: z.array(z.number().int()),
});
export type CommittedColumns = z.infer<typeof CommittedColumns>;

/** Body of a `reading_log` row. */
export const CommittedBatch = z.object({
  received_at: z.number(),
  columns: z.array(CommittedColumns),
});
export type CommittedBatch = z.infer<typeof CommittedBatch>;

/** Broadcast on `readings.committed`: a numbered `reading_log` row. Positions rise by one; a gap is read from the table. */
export const CommittedMessage = z.object({
  position: z.number().int().positive(),
  organization: z.uuid(),
  batch: CommittedBatch,
});
export type CommittedMessage = z.infer<typeof CommittedMessage>;

/** To the topic exchange `readings`: what one batch stored of one meter. `NewMeterReading` with what became known since. */
export interface CommittedReadingsMessage {
  version: 1;
  /** UUIDv5 of position and part within the namespace of the meter's id: the same when the message comes again. */
  message_id: string;
  organization: string;
  meter_device: string;
  /** Name of the meter at the time of publishing. */
  meter?: string;
  origin: ReadingOrigin;
  position: number;
  /** Resumes a subscription behind this batch. */
  cursor: string;
  received_at: string;
  place?: NonNullable<CommittedColumns['place']>;
  readings: (ReadingItem & { status: number; quality: string[]; revised: boolean; late: boolean })[];
}

/** Broadcast on `runs.changed`: ids of runs whose row changed; listeners read the row. */
export const RunsChangedMessage = z.object({ organization: z.uuid(), runs: z.array(z.uuid()) });
export type RunsChangedMessage = z.infer<typeof RunsChangedMessage>;

/** Bytes of a message, as they go to the broker. */
export function encode(message: unknown): Buffer {
  return Buffer.from(JSON.stringify(message));
}

/** The value of a JSON body in UTF-8; a byte order mark before it is ignored (RFC 8259, 8.1). Throws when it is none. */
export function parseJson(body: Buffer): unknown {
  const text = body.toString('utf8');
  return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
}

/** Parses a body with `schema`; the error names the field and what is wrong with it. */
export function decode<T>(
  schema: z.ZodType<T>,
  body: Buffer,
): { ok: true; message: T } | { ok: false; reason: string } {
  let value: unknown;
  let parsed;
  try {
    value = parseJson(body);
  } catch (error) {
    return { ok: false, reason: `not JSON: ${(error as Error).message}` };
  }
  try {
    parsed = schema.safeParse(value);
  } catch (error) {
    // Nested more deeply than the stack is high.
    return { ok: false, reason: `message: cannot be checked: ${(error as Error).message}` };
  }
  if (parsed.success) return { ok: true, message: parsed.data };
  const issue = parsed.error.issues[0]!;
  return { ok: false, reason: `${issue.path.join('.') || 'message'}: ${issue.message}` };
}
