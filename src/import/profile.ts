import { z } from 'zod';
import { isDecimal } from '../domain/decimal.js';
import { zoneOffset } from '../domain/zone-offset.js';
import { stampParser } from './stamp-format.js';

const text = z.string().min(1).max(150);
const column = text.describe('Name of a column, as in the header line.');
const decimal = z.string().refine((value) => isDecimal(value) && /[1-9]/.test(value), {
  error: 'must be a decimal other than 0 as text, such as "0.001"',
});

/** A text that is the same in all rows, or stands in a column, there perhaps under another name. */
const Source = z
  .union(
    [
      z.strictObject({ constant: text }),
      z.strictObject({
        column,
        mapping: z
          .record(z.string(), text)
          .optional()
          .describe('What each text of the column stands for; a text that is not listed is an error of its row.'),
      }),
    ],
    { error: 'must be {"constant": "…"} or {"column": "…", "mapping": {…}}' },
  )
  .describe('A constant, or a column with an optional mapping.');
export type Source = z.infer<typeof Source>;

const Factor = z.union(
  [
    z.strictObject({ constant: decimal }),
    z.strictObject({
      column,
      absolute: z.boolean().optional().describe('Leave out its sign, where that only tells the direction.'),
    }),
  ],
  { error: 'must be {"constant": "0.001"} or {"column": "…"}' },
);

const Quality = z.strictObject({
  column,
  mapping: z
    .record(z.string(), z.number().int().min(0).max(0x7fffffff))
    .describe('Status bits of each text, see docs/messages.md: 0 good, 8 estimated, 16 substituted.'),
});

const Value = z.strictObject({
  column,
  series: Source.describe('What is measured, OBIS code preferred.'),
  unit: Source.optional().describe('Unit of the value as it goes in, after the factor.'),
  factor: Factor.optional().describe('The value is multiplied by it, exactly.'),
  quality: Quality.optional(),
});

const Timestamp = z
  .strictObject({
    columns: z.array(column).min(1).max(3).describe('Columns that make up the time, joined by a blank.'),
    format: z
      .string()
      .min(1)
      .max(60)
      .refine((format) => isValid(() => stampParser(format)), {
        error: 'must be "iso", "unix", or a pattern with YYYY, MM, DD, HH, mm, such as "DD-MM-YYYY HH:mm[:ss]"',
      })
      .describe(
        '"iso": ISO 8601 with offset; "unix": seconds; else a pattern of a local time, brackets for what may be missing.',
      ),
    zone: z
      .string()
      .max(60)
      .refine((zone) => isValid(() => zoneOffset(zone)), {
        error: 'must be an IANA zone such as Europe/Amsterdam or UTC',
      })
      .optional()
      .describe('IANA zone of local times.'),
    marks: z
      .enum(['instant', 'start', 'end'])
      .describe('What the time is: of a counter the instant, of an interval its start or end.'),
    intervalSeconds: z
      .int()
      .min(1)
      .max(366 * 86_400)
      .optional()
      .describe('With marks "start": readings are stamped at the interval\'s end.'),
  })
  .refine(({ format, zone }) => (format === 'iso' || format === 'unix') === (zone === undefined), {
    error: 'is needed for local times, and only for these',
    path: ['zone'],
  })
  .refine(({ marks, intervalSeconds }) => (marks === 'start') === (intervalSeconds !== undefined), {
    error: 'is needed with marks "start", and only there',
    path: ['intervalSeconds'],
  });

export const ImportProfile = z
  .strictObject({
    $schema: z.string().optional(),
    description: z.string().min(1).max(300),
    encoding: z.enum(['utf8', 'latin1']).default('utf8'),
    delimiter: z.string().length(1).default(','),
    skipLines: z.int().min(0).max(100).default(0).describe('Lines before the header; blank lines need not be counted.'),
    header: z
      .array(column)
      .min(1)
      .max(1000)
      .optional()
      .describe('Names of the columns of a file without header line; else they are read from it.'),
    meter: z
      .union(
        [Source, z.strictObject({ template: text.describe('Text with columns in braces, such as "{site}-{ean}".') })],
        {
          error: 'must be {"column": "…"}, {"constant": "…"} or {"template": "{site}-{ean}"}',
        },
      )
      .optional()
      .describe('Name of the meter; where it is left out, --meter gives it.'),
    timestamp: Timestamp,
    numbers: z
      .strictObject({ decimal: z.enum(['.', ',']).default('.'), thousands: z.enum(['.', ',', ' ', "'"]).optional() })
      .refine(({ decimal, thousands }) => decimal !== thousands, {
        error: 'must differ from decimal',
        path: ['thousands'],
      })
      .prefault({}),
    blanks: z
      .array(z.string())
      .max(20)
      .default([])
      .describe('Texts that are no value, besides the blank one, such as "Null".'),
    values: z
      .array(Value)
      .min(1)
      .max(200)
      .describe('Each value column of a row gives a reading. A blank value gives none.'),
    only: z
      .array(z.strictObject({ column, in: z.array(z.string()).min(1) }))
      .max(20)
      .default([])
      .describe('Rows with other texts in these columns are left out, and counted.'),
  })
  .describe('How to read the readings in a CSV file.');
export type ImportProfile = z.infer<typeof ImportProfile>;

/** Every column a profile reads. */
export function columnsOf({ meter, timestamp, values, only }: ImportProfile): string[] {
  const of = (source: object | undefined) => (source && 'column' in source ? [source.column as string] : []);
  return [
    ...of(meter),
    ...(meter && 'template' in meter ? templateColumns(meter.template) : []),
    ...timestamp.columns,
    ...values.flatMap(({ column, series, unit, factor, quality }) => [
      column,
      ...[series, unit, factor, quality].flatMap(of),
    ]),
    ...only.map(({ column }) => column),
  ];
}

export function templateColumns(template: string): string[] {
  return [...template.matchAll(/\{([^{}]+)\}/g)].map(([, column]) => column!);
}

function isValid(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}
