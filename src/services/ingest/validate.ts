import { isDecimal } from '../../domain/decimal.js';
import { ReadingOrigin } from '../../domain/enums.js';
import { parseInstant } from '../../domain/instant.js';
import { DEFAULT_ORGANIZATION_ID } from '../../domain/organization.js';
import { instantOfUuid, isUuid } from '../../domain/uuid.js';

/** Readings older than this are refused: no smart meter recorded before, and each month costs a partition. */
const OLDEST = Date.UTC(2000, 0, 1);
/** A meter's clock may be ahead of ours by this much. */
const AHEAD_MS = 24 * 60 * 60_000;
const MAX_READINGS = 10_000;
const MAX_BYTES = 16 * 1024 * 1024;
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
  /** What is kept: the one reading in the form of a message of its own, or the message as it came. */
  body: Buffer;
  run: ValidReading['run'];
}

export interface Validated {
  readings: ValidReading[];
  rejections: Rejection[];
}

type Fields = Record<string, unknown>;

/**
 * Checks a `NewMeterReading` message, in its long form (`readings`: all of a call) or short form (one reading, meter by
 * name). A wrong reading is rejected alone; only a message without a usable envelope is rejected whole. Written by hand
 * rather than as a schema: it runs for every reading, and its neighbours must survive.
 */
export function validateMessage(body: Buffer, now: number): Validated {
  if (body.length > MAX_BYTES)
    return whole(body, DEFAULT_ORGANIZATION_ID, `message: ${body.length} bytes are more than ${MAX_BYTES}`);
  let message: unknown;
  try {
    message = JSON.parse(body.toString('utf8'));
  } catch (error) {
    return whole(body, DEFAULT_ORGANIZATION_ID, `message: not JSON: ${(error as Error).message}`);
  }
  if (!isFields(message)) return whole(body, DEFAULT_ORGANIZATION_ID, 'message: must be a JSON object');

  const organization = message.organization ?? DEFAULT_ORGANIZATION_ID;
  if (typeof organization !== 'string' || !isUuid(organization)) {
    return whole(body, DEFAULT_ORGANIZATION_ID, 'organization: must be the id of an organization, or left out');
  }
  if (message.version !== undefined && message.version !== 1) {
    return whole(
      body,
      organization,
      `version: ${JSON.stringify(message.version)} is not known; this ingester reads version 1`,
    );
  }
  const meter = message.meter_device ?? message.meter;
  if (!isName(meter)) return whole(body, organization, `meter_device: must be the id or name of a meter, ${NAME_RULE}`);
  const origin = message.origin ?? ReadingOrigin.PUSH;
  if (!isOrigin(origin)) {
    return whole(body, organization, `origin: must be one of ${Object.values(ReadingOrigin).join(', ')}`);
  }
  const run = runOf(message.task_run);
  if (run === null) return whole(body, organization, 'task_run: must be the id of a task run, or left out');
  const items = message.readings === undefined ? [message] : message.readings;
  if (!Array.isArray(items) || items.length === 0 || items.length > MAX_READINGS) {
    return whole(body, organization, `readings: must be an array of 1 to ${MAX_READINGS} readings`);
  }

  const validated: Validated = { readings: [], rejections: [] };
  for (const [index, item] of (items as unknown[]).entries()) {
    const prefix = message.readings === undefined ? '' : `readings.${index}.`;
    const checked = check(item, now);
    if (typeof checked !== 'string') {
      validated.readings.push({ organization, meter, origin, run, ...checked });
    } else {
      const alone =
        message.readings === undefined ? body : Buffer.from(JSON.stringify({ ...message, readings: [item] }));
      validated.rejections.push({ organization, reason: prefix + checked, body: alone, run });
    }
  }
  return validated;
}

/** One reading's own fields, or what is wrong with it as `field: rule`. */
function check(
  item: unknown,
  now: number,
): Pick<ValidReading, 'series' | 'measuredAt' | 'value' | 'unit' | 'quality'> | string {
  if (!isFields(item)) return 'reading: must be a JSON object';
  const { series, timestamp, value, unit, status } = item;
  if (!isName(series)) return `series: must be text, ${NAME_RULE}`;
  const measuredAt = typeof timestamp === 'string' ? parseInstant(timestamp) : undefined;
  if (measuredAt === undefined) {
    return `timestamp: ${JSON.stringify(timestamp)?.slice(0, 60)} is not ISO 8601 text with an offset, such as 2026-01-31T10:00:00+01:00`;
  }
  if (measuredAt < OLDEST) return `timestamp: ${timestamp as string} is before the year 2000`;
  if (measuredAt > now + AHEAD_MS)
    return `timestamp: ${timestamp as string} is more than a day ahead; check the meter's clock`;
  if (typeof value !== 'string' || !isDecimal(value)) {
    return 'value: must be a decimal as text, such as "9000.1250", of at most 38 digits';
  }
  if (unit != null && (!isName(unit) || unit.length > 20)) return 'unit: must be text of 1 to 20 characters';
  if (status != null && !isStatus(status)) return 'status: must be a whole number from 0 to 2147483647';
  return { series, measuredAt, value, unit: unit ?? undefined, quality: status ?? 0 };
}

function whole(body: Buffer, organization: string, reason: string): Validated {
  return { readings: [], rejections: [{ organization, reason, body, run: undefined }] };
}

function runOf(value: unknown): ValidReading['run'] | null {
  if (value === undefined || value === null) return undefined;
  const scheduledFor = typeof value === 'string' ? instantOfUuid(value) : undefined;
  return scheduledFor === undefined ? null : { id: value as string, scheduledFor };
}

/** PostgreSQL text holds no NUL, and no name a person gave has any other control character. */
function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TEXT && !/\p{Cc}/u.test(value);
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
