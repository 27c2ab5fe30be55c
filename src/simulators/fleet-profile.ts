import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseInstant } from '../domain/instant.js';
import { messageOf, StartupError } from '../errors.js';

const HOUR_MS = 3_600_000;

const milliseconds = z.number().min(0).max(3_600_000);
const bytes = z.number().int().min(0);
const ppm = z.number().min(-100_000).max(100_000);
const deviationSeconds = z.number().min(-1e9).max(1e9);

/** A number is told as the fixed value that it stands for: a union would not name the field at fault. */
const spreadOf = (value: z.ZodNumber) =>
  z.preprocess(
    (told) => (typeof told === 'number' ? { distribution: 'fixed', value: told } : told),
    z.discriminatedUnion('distribution', [
      z.strictObject({ distribution: z.literal('fixed'), value }),
      z
        .strictObject({ distribution: z.literal('uniform'), min: value, max: value })
        .refine(({ min, max }) => min <= max, { error: 'must not be below min', path: ['max'] }),
      z.strictObject({
        distribution: z.literal('lognormal'),
        median: value.positive(),
        sigma: z.number().min(0).max(5),
        max: value.positive().optional(),
      }),
    ]),
  );

/** An instant, or hours from the start of the fleet, such as -36: as milliseconds since the epoch. */
const timeFrom = (startMs: number) =>
  z
    .custom<number | string>((time) => Number.isFinite(typeof time === 'string' ? parseInstant(time) : time), {
      error: 'must be hours from the start such as -36, or a time with an offset such as 2026-01-31T00:00:00Z',
    })
    .transform((time) => (typeof time === 'number' ? startMs + time * HOUR_MS : (parseInstant(time) ?? NaN)));

const faultFrom = (startMs: number) => {
  const time = timeFrom(startMs);
  return z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal(['refuse', 'busy', 'silent', 'silent-after-sign-on', 'garbage', 'nak']) }),
    z.strictObject({ kind: z.literal('hang-up'), afterBytes: bytes }),
    z.strictObject({ kind: z.literal('half-open'), afterBytes: bytes }),
    z.strictObject({ kind: z.literal('noise'), after: z.boolean().optional() }),
    z.strictObject({ kind: z.literal('bad-bcc'), times: z.number().int().min(1).default(Infinity) }),
    z.strictObject({
      kind: z.literal('wrong-identity'),
      serialNumber: z
        .string()
        .regex(/^[0-9A-Za-z]{1,32}$/, 'must be 1 to 32 letters and digits')
        .default('99999999'),
    }),
    z.strictObject({ kind: z.literal('delay'), ms: spreadOf(milliseconds) }),
    z.strictObject({
      kind: z.literal('wrong-password'),
      password: z
        .string()
        .regex(/^[0-9A-Za-z]{1,32}$/, 'must be 1 to 32 letters and digits')
        .default('11111111'),
    }),
    z.strictObject({ kind: z.literal('clock'), offsetSeconds: deviationSeconds.optional(), ppm: ppm.optional() }),
    z
      .strictObject({
        kind: z.literal('archive-gap'),
        from: time,
        to: time,
        archive: z.literal([1, 3, 7, 13]).optional(),
      })
      .refine(({ from, to }) => from <= to, { error: 'must not be before from', path: ['to'] }),
    z.strictObject({ kind: z.literal('power-up'), at: z.array(time).min(1).max(1000) }),
    z.strictObject({ kind: z.literal('archive-wrap'), rows: z.number().int().min(1) }),
  ]);
};

const profileFrom = (startMs: number) =>
  z.strictObject({
    seed: z
      .number()
      .int()
      .min(0)
      .max(2 ** 31)
      .optional(),
    faults: z
      .array(
        z
          .strictObject({
            share: z.number().min(0).max(1).optional(),
            meters: z
              .array(z.union([z.string(), z.number()], { error: 'must be a name such as SIM-0001 or an index from 0' }))
              .optional(),
            fault: faultFrom(startMs),
          })
          .refine(({ share, meters }) => (share === undefined) !== (meters === undefined), {
            error: 'must have either share or meters',
          }),
      )
      .default([]),
    clock: z
      .strictObject({
        deviationSeconds: spreadOf(deviationSeconds).optional(),
        driftPpm: spreadOf(ppm).optional(),
      })
      .optional(),
    answerDelayMs: spreadOf(milliseconds).optional(),
  });

/** What is wrong with the meters of a fleet, and with how many. Times are milliseconds since the epoch. */
export type FleetProfile = z.infer<ReturnType<typeof profileFrom>>;

/** @param startMs what hours in the profile count from. @throws StartupError that names the field of `value` and `source`. */
export function parseProfile(value: unknown, source: string, startMs: number): FleetProfile {
  const parsed = profileFrom(startMs).safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.slice(0, 5).map(({ path, message }) => `${fieldName(path)}: ${message}`);
  throw new StartupError(`--profile ${source}: ${problems.join('; ')}`);
}

/** @throws StartupError for a file that cannot be read, is no JSON or no profile. */
export function readProfile(file: string, startMs: number): FleetProfile {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new StartupError(`--profile ${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new StartupError(`--profile ${file} is no JSON: ${messageOf(cause)}`, { cause });
  }
  return parseProfile(value, file, startMs);
}

/** `faults[0].fault.kind` */
function fieldName(path: readonly PropertyKey[]): string {
  const name = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return name.replace(/^\./, '') || 'the profile';
}
