import fc from 'fast-check';
import { expect, it } from 'vitest';
import { emptyTexts, instants, plainTexts, texts } from '../../src/domain/json-list.js';

it('writes instants as toISOString does', () => {
  const instant = fc.integer({ min: Date.parse('0001-01-01T00:00:00Z'), max: Date.parse('9999-12-31T23:59:59.999Z') });
  fc.assert(
    fc.property(fc.array(instant), (at) => {
      const list = instants(at);
      const dates = at.map((ms) => new Date(ms));
      expect(JSON.parse(`[${list.items}]`)).toEqual(dates.map((date) => date.toISOString()));
      expect([...list]).toEqual(dates);
      expect(list.length).toBe(at.length);
    }),
  );
});

it.each([
  ['numbers', plainTexts('1.50,-2,3', 3), ['1.50', '-2', '3']],
  ['no numbers', plainTexts('', 0), []],
  ['any texts', texts(['', 'A,B', '"']), ['', 'A,B', '"']],
  ['no texts', texts([]), []],
  ['empty texts', emptyTexts(3), ['', '', '']],
  ['no empty texts', emptyTexts(0), []],
])('writes %s as JSON', (_what, list, items) => {
  expect(JSON.parse(`[${list.items}]`)).toEqual(items);
  expect([...list]).toEqual(items);
  expect(list.length).toBe(items.length);
});
