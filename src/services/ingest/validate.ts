import { isDecimal } from '../../domain/decimal.js';
import { ReadingOrigin } from '../../domain/enums.js';
import { parseInstant } from '../../domain/instant.js';
import { DEFAULT_ORGANIZATION_ID } from '../../domain/organization.js';
import { isPrintable } from '../../domain/text.js';
import { instantOfUuid, isUuid } from '../../domain/uuid.js';
import { messageOf } from '../../errors.js';
import { parseJson } from '../../messaging/contracts.js';

/** Readings older than this are refused: no smart meter recorded before, and each month costs a partition. */
const OLDEST = Date.UTC(2000, 0, 1);
/** A meter's clock may be ahead of ours by this much. */
const AHEAD_MS = 24 * 60 * 60_000;
const MAX_READINGS = 10_000;
/** Room for 10,000 readings of 400 bytes. With the prefetch it bounds what an ingester holds. */
const MAX_BYTES = 4 * 1024 * 1024;
/** Wrong readings of one message that are kept one by one. */
const MAX_REJECTED_ALONE = 100;
const MAX_TEXT = 150;
const NAME_RULE = `1 to ${MAX_TEXT} characters without control characters`;

/** A reading that passed the rules, with the meter still as the message names it. */
export interface ValidReading {
  organization: string;
  /** Id or name. */
  meter: string;
  series: string;
  /** Milliseconds since the epoch. */
  measuredAt: number;
  value: string;
  unit: string | undefined;
  quality: number;
  origin: ReadingOrigin;
  /** The run that read it, with the instant its id carries. */
  run: { id: string; scheduledFor: number } | undefined;
}

/** One reading, or a whole message, that broke a rule. `reason` names the field. */
export interface Rejection {
  organization: string;
  reason: string;
  /**
   * What is kept: the one reading as a message of its own, or the message as it came. Undefined where another
   * rejection keeps the message.
   */
  body: Buffer | undefined;
  run: ValidReading['run'];
}

export interface Validated {
  readings: ValidReading[];
  rejections: Rejection[];
}

type Fields = Record<string, unknown>;
type Envelope = Pick<ValidReading, 'organization' | 'meter' | 'origin' | 'run'>;

/**
 * Checks a `NewMeterReading` message, in its long form (`readings`: all of a call) or short form (one reading, meter by
 * name). A wrong reading is rejected alone; only a message without a usable envelope, or with more wrong readings than
 * are worth keeping one by one, is kept whole. Never throws. Written by hand rather than as a schema: it runs for every
 * reading, and its neighbours must survive.
 */
export function validateMessage(body: Buffer, now: number): Validated {
  try {
    return check(body, now);
  } catch (error) {
    // Such as a text nested more deeply than the stack is high.
    return whole(body, DEFAULT_ORGANIZATION_ID, `message: cannot be checked: ${messageOf(error)}`);
  }
}

function check(body: Buffer, now: number): Validated {
  if (body.length > MAX_BYTES) {
    return whole(body, DEFAULT_ORGANIZATION_ID, `message: ${body.length} bytes are more than ${MAX_BYTES}`);
  }
  let message: unknown;
  try {
    message = parseJson(body);
  } catch (error) {
    return whole(body, DEFAULT_ORGANIZATION_ID, `message: not JSON: ${messageOf(error)}`);
  }
  if (!isFields(message)) return whole(body, DEFAULT_ORGANIZATION_ID, 'message: must be a JSON object');
  const envelope = envelopeOf(message);
  if (typeof envelope === 'string') return whole(body, DEFAULT_ORGANIZATION_ID, envelope);
  const { organization, run } = envelope;
  const single = message.readings === undefined;
  const items = single ? [message] : message.readings;
  if (!Array.isArray(items) || items.length === 0 || items.length > MAX_READINGS) {
    return whole(body, organization, `readings: must be an array of 1 to ${MAX_READINGS} readings`);
  }

  const readings: ValidReading[] = [];
  const wrong: { index: number; reason: string }[] = [];
  for (const [index, item] of (items as unknown[]).entries()) {
    const checked = checkReading(item, envelope, now);
    if (typeof checked === 'string') wrong.push({ index, reason: single ? checked : `readings.${index}.${checked}` });
    else readings.push(checked);
  }
  const keptWhole = single || wrong.length > MAX_REJECTED_ALONE;
  const rejections: Rejection[] = wrong.map(({ index, reason }, place) => ({
    organization,
    run,
    reason: keptWhole && !single ? `${reason} (and ${wrong.length - 1} more of its readings)` : reason,
    body: keptWhole ? (place === 0 ? body : undefined) : alone(message, (items as unknown[])[index]),
  }));
  return { readings, rejections };
}

/** What all readings of a message share, or what is wrong with it. */
function envelopeOf(message: Fields): Envelope | string {
  const { version, organization = DEFAULT_ORGANIZATION_ID, origin = ReadingOrigin.PUSH } = message;
  if (version !== undefined && version !== 1) return 'version: must be 1, or left out';
  if (typeof organization !== 'string' || !isUuid(organization)) {
    return 'organization: must be the id of an organization, or left out';
  }
  const meter = message.meter_device ?? message.meter;
  if (!isName(meter)) return `meter_device: must be the id or name of a meter, ${NAME_RULE}`;
  if (!isOrigin(origin)) return `origin: must be one of ${Object.values(ReadingOrigin).join(', ')}`;
  const run = runOf(message.task_run);
  if (run === null) return 'task_run: must be the id of a task run, or left out';
  // PostgreSQL writes ids in lower case: so they compare.
  return { organization: organization.toLowerCase(), meter: isUuid(meter) ? meter.toLowerCase() : meter, origin, run };
}

/** One reading as a message of its own. Only the known fields go along: a large foreign one would be copied each time. */
function alone(message: Fields, item: unknown): Buffer {
  const { version, message_id, organization, meter_device, meter, origin, task_run, collected_at } = message;
  return Buffer.from(
    JSON.stringify({
      version,
      message_id,
      organization,
      meter_device,
      meter,
      origin,
      task_run,
      collected_at,
      readings: [item],
    }),
  );
}

/** One reading of a message, or what is wrong with it as `field: rule`. */
function checkReading(item: unknown, envelope: Envelope, now: number): ValidReading | string {
  if (!isFields(item)) return 'reading: must be a JSON object';
  const { series, timestamp, value, unit, status } = item;
  if (!isName(series)) return `series: must be text, ${NAME_RULE}`;
  const measuredAt = typeof timestamp === 'string' ? parseInstant(timestamp) : undefined;
  if (measuredAt === undefined) {
    const given = typeof timestamp === 'string' ? `"${timestamp.slice(0, 40)}"` : `a ${typeof timestamp}`;
    return `timestamp: ${given} is not ISO 8601 text with an offset, such as 2026-01-31T10:00:00+01:00`;
  }
  if (measuredAt < OLDEST) return `timestamp: ${timestamp as string} is before the year 2000`;
  if (measuredAt > now + AHEAD_MS)
    return `timestamp: ${timestamp as string} is more than a day ahead; check the meter's clock`;
  if (typeof value !== 'string' || !isDecimal(value)) {
    return 'value: must be a decimal as text, such as "9000.1250", of at most 38 digits';
  }
  if (unit != null && (!isName(unit) || unit.length > 20)) return 'unit: must be text of 1 to 20 characters';
  if (status != null && !isStatus(status)) return 'status: must be a whole number from 0 to 2147483647';
  // Written out: objects made by spreading were slower to make and to use, a third of an ingester's rate.
  return {
    organization: envelope.organization,
    meter: envelope.meter,
    series,
    measuredAt,
    value,
    unit: unit ?? undefined,
    quality: status ?? 0,
    origin: envelope.origin,
    run: envelope.run,
  };
}

function whole(body: Buffer, organization: string, reason: string): Validated {
  return { readings: [], rejections: [{ organization, reason, body, run: undefined }] };
}

/** Null when it is no id of a run. */
function runOf(value: unknown): ValidReading['run'] | null {
  if (value === undefined || value === null) return undefined;
  const scheduledFor = typeof value === 'string' ? instantOfUuid(value) : undefined;
  return scheduledFor === undefined ? null : { id: (value as string).toLowerCase(), scheduledFor };
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TEXT && isPrintable(value);
}

function isStatus(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0x7fffffff;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const ORIGINS: ReadonlySet<unknown> = new Set(Object.values(ReadingOrigin));
function isOrigin(value: unknown): value is ReadingOrigin {
  return ORIGINS.has(value);
}
