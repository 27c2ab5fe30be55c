import fc from 'fast-check';
import { expect, it } from 'vitest';
import { instants, plainTexts } from '../../src/domain/json-list.js';

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

it.each([[[]], [['']], [['1.50', '-2', '']]])('writes %j as JSON', (texts) => {
  const list = plainTexts(texts);
  expect(JSON.parse(`[${list.items}]`)).toEqual(texts);
  expect([...list]).toEqual(texts);
});
