import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { MeterLifeCycle } from '../domain/enums.js';
import { enumeration, id, ids, name, positiveDecimal, text } from './input.js';

const credentialRule =
  'must be an object of 1 to 20 texts of 1 to 1000 characters, such as {"password": "00000000"}; null removes them';
const credentialText = (max: number) =>
  z.string({ error: credentialRule }).min(1, { error: credentialRule }).max(max, { error: credentialRule });
const Credentials = z
  .record(credentialText(64), credentialText(1000), { error: credentialRule })
  .refine((value) => Object.keys(value).length >= 1 && Object.keys(value).length <= 20, { error: credentialRule });

const zoneRule = 'must be an IANA time zone such as Europe/Vienna or UTC';
const optional = (max: number) => text(max).nullable().default(null);

/** What is kept as given. */
export const MeterFields = z.object({
  name,
  serialNumber: optional(100),
  manufacturer: optional(100),
  model: optional(100),
  externalReference: optional(150),
  protocolAddress: optional(100),
  lifeCycle: enumeration(MeterLifeCycle).default(MeterLifeCycle.NEW),
  timeZone: z
    .string({ error: zoneRule })
    .transform(canonicalZone)
    .pipe(z.string({ error: zoneRule }))
    .default('UTC'),
  currentTransformerRatio: positiveDecimal.nullable().default(null),
  voltageTransformerRatio: positiveDecimal.nullable().default(null),
});
/** What refers to other rows, or is not kept as given. Undefined: not to be changed. */
export const MeterLinks = z.object({
  networkInterface: id.nullish(),
  taskGroups: ids.optional(),
  meterTasks: ids.optional(),
  credentials: Credentials.nullish(),
});
export type MeterLinks = z.output<typeof MeterLinks>;
export type MeterFields = z.output<typeof MeterFields>;

export type CreateMeterDevice = Omit<z.input<typeof MeterFields>, 'lifeCycle'> & {
  networkInterface?: string | null;
  taskGroups?: string[];
  meterTasks?: string[];
  /** Checked to hold texts only. */
  credentials?: Record<string, unknown> | null;
};
export type UpdateMeterDevice = Partial<CreateMeterDevice> & {
  id: string;
  lifeCycle?: MeterLifeCycle;
  expectedVersion?: number | null;
};

/** The one spelling of an IANA zone, which other programs can look up too: `Europe/Vienna` for `europe/vienna`. */
function canonicalZone(zone: string): string | undefined {
  // Offsets such as +01:00 are accepted by newer engines, but they know no daylight saving time.
  if (!/^[A-Za-z]/.test(zone)) return undefined;
  const known = ZONES.get(zone) ?? spelling(zone);
  if (known !== undefined) ZONES.set(zone, known);
  return known;
}

/** Asking the engine takes a tenth of a millisecond, and the meters of an import are mostly in one zone. */
const ZONES = new LRUCache<string, string>({ max: 1_000 });

function spelling(zone: string): string | undefined {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}
