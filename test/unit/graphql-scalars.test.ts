import { parseValue as parseLiteral } from 'graphql';
import { describe, expect, it } from 'vitest';
import { BigIntScalar, Bytes, Cursor, DateTime, Decimal, JSONObject } from '../../schema/scalars.js';

describe('DateTime', () => {
  it('reads an instant with any offset and writes UTC with milliseconds', () => {
    const instant = DateTime.parseValue('2026-01-31T10:00:00+01:00');
    expect(instant).toEqual(new Date('2026-01-31T09:00:00Z'));
    expect(DateTime.serialize(instant)).toBe('2026-01-31T09:00:00.000Z');
    expect(DateTime.parseLiteral(parseLiteral('"2026-01-31T09:00:00Z"'))).toEqual(instant);
  });

  it.each(['2026-01-31T10:00:00', '2026-01-31', '2026-04-31T00:00:00Z', 'now', 0, null])('refuses %j', (input) => {
    expect(() => DateTime.parseValue(input)).toThrow(/DateTime/);
  });
});

it('keeps every digit of a Decimal and refuses what is none', () => {
  expect(Decimal.serialize(Decimal.parseValue('9000.1250'))).toBe('9000.1250');
  for (const input of ['1e3', '1,5', 'NaN', '', 9000.125, '1'.repeat(60)]) {
    expect(() => Decimal.parseValue(input)).toThrow(/Decimal/);
  }
});

it('reads a JSONObject from a literal as from a variable', () => {
  const literal = JSONObject.parseLiteral(parseLiteral('{archive_number: 3, list: [1, {deep: true}]}'));
  expect(literal).toStrictEqual({ archive_number: 3, list: [1, { deep: true }] });
  expect(JSONObject.parseLiteral(parseLiteral('{of: $number}'), { number: 5 })).toStrictEqual({ of: 5 });
  for (const input of [[], null, 'text', 1]) expect(() => JSONObject.parseValue(input)).toThrow(/JSONObject/);
});

it('reads Bytes as padded base64 only', () => {
  expect(Bytes.parseValue('AAH/')).toEqual(Buffer.of(0, 1, 255));
  expect(Bytes.serialize(Buffer.of(0, 1, 255))).toBe('AAH/');
  for (const input of ['AAH_', 'AA', 'AA==\n']) expect(() => Bytes.parseValue(input)).toThrow(/Bytes/);
});

it('carries whole numbers beyond 2^53 as text', () => {
  expect(BigIntScalar.serialize(BigIntScalar.parseValue('9007199254740993'))).toBe('9007199254740993');
  for (const input of ['1.0', '', 'x', 5]) expect(() => BigIntScalar.parseValue(input)).toThrow(/BigInt/);
});

it('bounds a Cursor', () => {
  expect(Cursor.parseValue('12.3')).toBe('12.3');
  for (const input of ['', 'x'.repeat(201)]) expect(() => Cursor.parseValue(input)).toThrow(/Cursor/);
});
