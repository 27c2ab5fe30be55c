import { GraphQLError, GraphQLScalarType, Kind, valueFromASTUntyped, type ValueNode } from 'graphql';
import { isDecimal } from '../src/domain/decimal.js';
import { parseInstant } from '../src/domain/instant.js';

/** A wrong value of a scalar; the executor adds the path of the input. */
function wrong(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
}

/** A scalar whose literals and variables are both given as text. */
function textScalar<T>(name: string, description: string, parse: (text: string) => T, serialize: (value: T) => string) {
  const parseValue = (value: unknown): T => {
    if (typeof value !== 'string') throw wrong(`${name} is given as a string.`);
    return parse(value);
  };
  return new GraphQLScalarType<T, string>({
    name,
    description,
    parseValue,
    parseLiteral: (node: ValueNode) => parseValue(node.kind === Kind.STRING ? node.value : undefined),
    serialize: (value) => serialize(value as T),
  });
}

export const DateTime = textScalar<Date>(
  'DateTime',
  'ISO 8601, e.g. 2026-01-31T10:00:00+01:00. Input must carry an offset or Z; output is UTC with milliseconds, e.g. 2026-01-31T09:00:00.000Z.',
  (text) => {
    const ms = parseInstant(text);
    if (ms === undefined) {
      throw wrong(
        `DateTime ${JSON.stringify(text)} must be an ISO 8601 date and time with an offset or Z, such as 2026-01-31T09:00:00Z.`,
      );
    }
    return new Date(ms);
  },
  // Text stands for a list that is written as a whole (see src/graphql/raw-lists.ts).
  (value: Date | string) => (typeof value === 'string' ? value : value.toISOString()),
);

export const Decimal = textScalar<string>(
  'Decimal',
  'Exact decimal as a string, e.g. "9000.1250".',
  (text) => {
    if (!isDecimal(text)) throw wrong('Decimal must be a plain decimal of up to 38 digits, such as "9000.1250".');
    return text;
  },
  String,
);

export const Cursor = textScalar<string>(
  'Cursor',
  'Opaque, strictly rising commit position, e.g. 000000002k1000004: pass on what a reading or oldestCursor gave, nothing else.',
  (text) => {
    if (text === '' || text.length > 200) throw wrong('Cursor must be one that a subscription gave.');
    return text;
  },
  String,
);

export const Bytes = textScalar<Buffer>(
  'Bytes',
  'Base64 with padding, e.g. eyJhIjogMX0=.',
  (text) => {
    const bytes = Buffer.from(text, 'base64');
    // Encoding again catches characters that the decoder skips.
    if (bytes.toString('base64') !== text) throw wrong('Bytes must be base64 with padding.');
    return bytes;
  },
  (value) => value.toString('base64'),
);

/** Integers beyond 32 bits travel as text: JSON numbers lose digits above 2^53. */
export const BigIntScalar = textScalar<string>(
  'BigInt',
  'Whole number of any size as a string, e.g. "12000000000".',
  (text) => {
    if (!/^-?\d{1,38}$/.test(text)) throw wrong('BigInt must be a whole number as a string, such as "12000000000".');
    return text;
  },
  String,
);

function asJsonObject(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong('JSONObject must be an object, such as {"archive_number": 3}.');
  }
  return value as Record<string, unknown>;
}

export const JSONObject = new GraphQLScalarType<Record<string, unknown>, Record<string, unknown>>({
  name: 'JSONObject',
  description: 'A JSON object, e.g. {"archive_number": 3}.',
  parseValue: asJsonObject,
  // Literals come with null prototypes; copied through JSON they are the same plain objects that variables are.
  parseLiteral: (node, variables) =>
    asJsonObject(JSON.parse(JSON.stringify(valueFromASTUntyped(node, variables) ?? null))),
  serialize: asJsonObject,
});
