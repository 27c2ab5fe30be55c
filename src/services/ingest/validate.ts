import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { isDecimal } from '../../domain/decimal.js';
import { ReadingOrigin } from '../../domain/enums.js';
import { parseInstant } from '../../domain/instant.js';
import { DEFAULT_ORGANIZATION_ID } from '../../domain/organization.js';
import { isPrintable } from '../../domain/text.js';
import { instantOfUuid, isUuid } from '../../domain/uuid.js';
import { messageOf } from '../../errors.js';
import { RESENT_HEADER, type Delivery } from '../../messaging/broker.js';
import { parseJson } from '../../messaging/contracts.js';
import { redrivenLetter } from '../redrive-settlement.js';
import { isPublishingTime, publicationOf, type Publication } from './outcomes.js';

const MAX_READINGS = 10_000;
/** Room for 10,000 readings of 400 bytes. With the prefetch it bounds what an ingester holds. */
const MAX_BYTES = 4 * 1024 * 1024;
/** Wrong readings of one message that are kept one by one; more are kept together. */
const MAX_REJECTED_ALONE = 100;
const MAX_TEXT = 150;
const NAME_RULE = `1 to ${MAX_TEXT} characters without control characters`;

/** When readings may have been measured, both in milliseconds since the epoch. */
export interface Period {
  readonly oldest: number;
  readonly newest: number;
}

/** What all readings of a message share. */
export interface Envelope {
  organization: string;
  /** Id, name or serial number, as the message names it. */
  meter: string;
  origin: ReadingOrigin;
  /** The run that read it, with the instant its id carries. */
  run: { id: string; scheduledFor: number } | undefined;
  /** When it was taken from the meter; milliseconds since the epoch. */
  collectedAt: number;
  /** UUID in lower case; with `collectedAt` it tells which of two values is the first. */
  messageId: string;
  publication: Publication | undefined;
  /** When it was handed to the broker, or arrived where nobody says; milliseconds since the epoch. */
  publishedAt: number;
  /** Whether `publishedAt` is the publisher's word. */
  isTimed: boolean;
  /** The dead letter it was, put back into the queue. */
  redrive: string | undefined;
  /** It may have been committed before. */
  isSuspect: boolean;
  /** See `Delivery`: another ingester may commit it, or has. */
  revoked: Delivery['revoked'];
}

/** A reading that passed the rules. */
export interface ValidReading {
  envelope: Envelope;
  series: string;
  /** Milliseconds since the epoch. */
  measuredAt: number;
  value: string;
  unit: string | undefined;
  quality: number;
}

/** One reading, or a whole message, that broke a rule. `reason` names the field. */
export interface Rejection {
  envelope: Pick<
    Envelope,
    'organization' | 'run' | 'publication' | 'publishedAt' | 'redrive' | 'messageId' | 'isSuspect' | 'revoked'
  >;
  reason: string;
  /** It stands for so many. */
  readings: number;
  /** What is kept: the readings it stands for as a message of their own, or the message as it came. */
  body: Buffer;
}

export interface Validated {
  readings: readonly ValidReading[];
  rejections: readonly Rejection[];
}

// Messages of one reading come by the million: an empty list each would be work for the garbage collector.
const NO_READINGS: readonly ValidReading[] = [];
const NO_REJECTIONS: readonly Rejection[] = [];

type Fields = Record<string, unknown>;
/** A message as it came from the broker. */
export type Arrival = Pick<Delivery, 'body' | 'redelivered' | 'messageId' | 'publishedAt' | 'headers' | 'revoked'>;

/**
 * Checks a `NewMeterReading` message, in its long form (`readings`: all of a call) or short form (one reading, meter by
 * name). A wrong reading is rejected alone, a message without a usable envelope as a whole. Never throws. Written by hand rather than as a schema: it runs for every
 * reading, and its neighbours must survive.
 */
export function validateMessage(arrival: Arrival, period: Period, now: number): Validated {
  try {
    return check(arrival, period, now);
  } catch (error) {
    const reason =
      error instanceof RangeError
        ? 'message: is nested too deeply; readings are flat objects, leave out what is not a field of theirs'
        : `message: cannot be checked: ${messageOf(error)}`;
    return whole(arrival, now, DEFAULT_ORGANIZATION_ID, reason);
  }
}

function check(arrival: Arrival, period: Period, now: number): Validated {
  const { body } = arrival;
  if (body.length > MAX_BYTES) {
    return whole(
      arrival,
      now,
      DEFAULT_ORGANIZATION_ID,
      `message: ${body.length} bytes are more than ${MAX_BYTES}; send fewer readings in one message`,
    );
  }
  if (body.length === 0)
    return whole(arrival, now, DEFAULT_ORGANIZATION_ID, 'message: is empty; must be a JSON object');
  // Read as it is, what is no UTF-8 would become other characters, and a name another name.
  if (!isUtf8(body))
    return whole(arrival, now, DEFAULT_ORGANIZATION_ID, 'message: is not UTF-8; encode its JSON as UTF-8');
  let message: unknown;
  try {
    message = parseJson(body);
  } catch (error) {
    return whole(arrival, now, DEFAULT_ORGANIZATION_ID, `message: not JSON in UTF-8: ${messageOf(error)}`);
  }
  if (!isFields(message)) return whole(arrival, now, DEFAULT_ORGANIZATION_ID, 'message: must be a JSON object');
  const envelope = envelopeOf(message, arrival, period, now);
  if (typeof envelope === 'string') return whole(arrival, now, DEFAULT_ORGANIZATION_ID, envelope, message);
  if (message.readings === undefined) {
    const reading = checkReading(message, envelope, period);
    return typeof reading === 'string'
      ? { readings: NO_READINGS, rejections: [{ envelope, reason: reading, readings: 1, body }] }
      : { readings: [reading], rejections: NO_REJECTIONS };
  }
  const items = message.readings;
  if (!Array.isArray(items) || items.length === 0 || items.length > MAX_READINGS) {
    const reason = `readings: must be an array of 1 to ${MAX_READINGS} readings`;
    return whole(arrival, now, envelope.organization, reason, message);
  }

  const readings: ValidReading[] = [];
  const wrong: { item: unknown; reason: string }[] = [];
  for (let index = 0; index < items.length; index++) {
    const checked = checkReading(items[index], envelope, period);
    if (typeof checked === 'string') wrong.push({ item: items[index], reason: `readings.${index}.${checked}` });
    else readings.push(checked);
  }
  if (wrong.length === 0) return { readings, rejections: NO_REJECTIONS };
  // Without their neighbours, which are stored: one by one, or together where they are many.
  const groups = wrong.length > MAX_REJECTED_ALONE ? [wrong] : wrong.map((one) => [one]);
  const rejections = groups.map((group) => ({
    envelope,
    reason: group[0]!.reason + (group.length > 1 ? ` (and ${group.length - 1} more of its readings)` : ''),
    readings: group.length,
    body: messageOfItems(message, group),
  }));
  return { readings, rejections };
}

/** What all readings of a message share, or what is wrong with it. */
function envelopeOf(message: Fields, arrival: Arrival, period: Period, now: number): Envelope | string {
  const { version, organization = DEFAULT_ORGANIZATION_ID, origin = ReadingOrigin.PUSH } = message;
  if (version !== undefined && version !== 1) return 'version: must be 1, or left out';
  if (organization !== DEFAULT_ORGANIZATION_ID && !(typeof organization === 'string' && isUuid(organization))) {
    return 'organization: must be the id of an organization, or left out';
  }
  const meter = message.meter_device ?? message.meter;
  if (!isName(meter)) return `meter_device: must be the id, name or serial number of a meter, ${NAME_RULE}`;
  if (!isOrigin(origin)) return `origin: must be one of ${Object.values(ReadingOrigin).join(', ')}`;
  const run = runOf(message.task_run);
  if (run === null) return 'task_run: must be the id of a task run, or left out';
  const { publisher, published_at: publishedAt } = message;
  if (publisher != null && !(typeof publisher === 'string' && isUuid(publisher))) {
    return 'publisher: must be the UUID by which the publisher reports what it publishes, or left out';
  }
  const publishedMs = publishedAt == null ? undefined : (published.of(publishedAt) ?? NaN);
  if (publishedMs !== undefined && !isPublishingTime(publishedMs, now)) {
    return 'published_at: must be ISO 8601 text with an offset, from 2000 to a day ahead of now, or left out';
  }
  const publication =
    typeof publisher === 'string' && publishedMs !== undefined
      ? { publisher: publisher.toLowerCase(), publishedAt: publishedMs }
      : undefined;
  const stated = publication?.publishedAt ?? handedOverAt(arrival, now);
  let collectedAt = stated ?? now;
  if (message.collected_at != null) {
    const given = collected.of(message.collected_at);
    if (given === undefined || given > period.newest) {
      return 'collected_at: must be ISO 8601 text with an offset, not ahead of now, or left out';
    }
    collectedAt = given;
  }
  const messageId = message.message_id ?? arrival.messageId;
  if (messageId !== undefined && !isName(messageId)) return `message_id: must be text, ${NAME_RULE}, or left out`;
  return {
    // PostgreSQL writes ids in lower case: so they compare.
    organization: organization.toLowerCase(),
    meter: isUuid(meter) ? meter.toLowerCase() : meter,
    origin,
    run,
    collectedAt,
    messageId: idOf(messageId, arrival),
    publication,
    publishedAt: stated ?? now,
    isTimed: stated !== undefined,
    redrive: redrivenLetter(arrival.headers),
    isSuspect: isSuspect(arrival),
    revoked: arrival.revoked,
  };
}

function isSuspect({ redelivered, headers }: Arrival): boolean {
  return redelivered || headers[RESENT_HEADER] !== undefined;
}

function idOf(messageId: string | undefined, { body }: Arrival): string {
  if (messageId === undefined) return uuidOf(body);
  return isUuid(messageId) ? messageId.toLowerCase() : uuidOf(messageId);
}

/** A UUID that stands for a message without one (RFC 9562, 5.8): the same each time it comes. */
function uuidOf(identity: string | Buffer): string {
  const bytes = createHash('sha256').update(identity).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

const ENVELOPE_FIELDS = [
  'version',
  'message_id',
  'organization',
  'meter_device',
  'meter',
  'origin',
  'task_run',
  'collected_at',
  'published_at',
  'publisher',
] as const;

/** Some readings of a message as one of their own. Only the known fields go along: a large foreign one would be copied each time. */
function messageOfItems(message: Fields, parts: readonly { item: unknown }[]): Buffer {
  const alone: Fields = {};
  for (const field of ENVELOPE_FIELDS) alone[field] = message[field];
  return Buffer.from(JSON.stringify({ ...alone, readings: parts.map(({ item }) => item) }));
}

/** One reading of a message, or what is wrong with it as `field: rule`. */
function checkReading(item: unknown, envelope: Envelope, period: Period): ValidReading | string {
  if (!isFields(item)) return 'reading: must be a JSON object';
  const { series, timestamp, value, unit, status } = item;
  if (!isName(series)) return `series: must be text, ${NAME_RULE}`;
  const measuredAt = measured.of(timestamp);
  if (measuredAt === undefined) {
    const given =
      typeof timestamp === 'string'
        ? `"${timestamp.slice(0, 40)}"`
        : timestamp == null
          ? 'nothing'
          : `a ${typeof timestamp}`;
    return `timestamp: ${given} is not ISO 8601 text with an offset, such as 2026-01-31T10:00:00+01:00`;
  }
  if (measuredAt < period.oldest) {
    return `timestamp: ${timestamp as string} is before ${new Date(period.oldest).toISOString().slice(0, 10)}, the oldest that is kept`;
  }
  if (measuredAt > period.newest) {
    return `timestamp: ${timestamp as string} is too far ahead of now; check the meter's clock`;
  }
  if (typeof value !== 'string' || !isDecimal(value)) {
    return 'value: must be a decimal as text, such as "9000.1250", of at most 38 digits';
  }
  if (unit != null && (!isName(unit) || unit.length > 20)) return 'unit: must be text of 1 to 20 characters';
  if (status != null && !isStatus(status)) return 'status: must be a whole number from 0 to 2147483647';
  // Written out: objects made by spreading were slower to make and to use, a third of an ingester's rate.
  return { envelope, series, measuredAt, value, unit: unit ?? undefined, quality: status ?? 0 };
}

/** @param message as far as it could be read: for what its readings are booked to */
function whole(arrival: Arrival, now: number, organization: string, reason: string, message: Fields = {}): Validated {
  const publication = publicationOf(message.publisher, message.published_at, now);
  const envelope = {
    organization,
    run: undefined,
    publication,
    publishedAt: publication?.publishedAt ?? handedOverAt(arrival, now) ?? now,
    redrive: redrivenLetter(arrival.headers),
    messageId: idOf(isName(message.message_id) ? message.message_id : undefined, arrival),
    isSuspect: isSuspect(arrival),
    revoked: arrival.revoked,
  };
  const readings = Array.isArray(message.readings) ? Math.max(1, message.readings.length) : 1;
  return { readings: [], rejections: [{ envelope, reason, readings, body: arrival.body }] };
}

/** The instants of one field: messages that follow each other often say the same, as meters measure at the same times. */
class Instants {
  private lastText = '';
  private last = NaN;

  of(value: unknown): number | undefined {
    if (typeof value !== 'string') return undefined;
    if (value === this.lastText) return this.last;
    const ms = parseInstant(value);
    if (ms !== undefined) {
      this.lastText = value;
      this.last = ms;
    }
    return ms;
  }
}
const published = new Instants();
const collected = new Instants();
const measured = new Instants();

/** As the properties of the message say; undefined where they say nothing that can be, such as milliseconds for seconds. */
function handedOverAt({ publishedAt }: Arrival, now: number): number | undefined {
  return publishedAt !== undefined && isPublishingTime(publishedAt, now) ? publishedAt : undefined;
}

/** Null when it is no id of a run. */
function runOf(value: unknown): Envelope['run'] | null {
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

/** A valid reading that cannot be stored all the same, as the message it would be alone. */
export function rejectionOf(
  { envelope, series, measuredAt, value, unit, quality }: ValidReading,
  reason: string,
): Rejection {
  const { organization, meter, origin, messageId, collectedAt, publication } = envelope;
  const message = {
    version: 1,
    message_id: messageId,
    organization,
    meter_device: meter,
    origin,
    collected_at: new Date(collectedAt).toISOString(),
    published_at: publication && new Date(publication.publishedAt).toISOString(),
    publisher: publication?.publisher,
    readings: [{ series, timestamp: new Date(measuredAt).toISOString(), value, unit, status: quality }],
  };
  return {
    envelope,
    reason,
    readings: 1,
    body: Buffer.from(JSON.stringify(message)),
  };
}
