import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { topicMatches } from '../../src/messaging/topic-pattern.js';

describe('patterns of topic exchanges', () => {
  it.each([
    ['org.meter', 'org.meter', true],
    ['org.meter', 'org.other', false],
    ['org.*', 'org.meter', true],
    ['org.*', 'org', false],
    ['org.*', 'org.meter.more', false],
    ['org.#', 'org', true],
    ['org.#', 'org.meter.more', true],
    ['#', '', true],
    ['*', '', true],
    ['#.meter', 'org.meter', true],
    ['#.meter', 'org.meter.more', false],
    ['#.a.#', 'x.a.y.a', true],
  ])('%s and %s: %s', (pattern, key, matches) => expect(topicMatches(pattern, key)).toBe(matches));

  it('says the same as a regular expression', () => {
    const word = fc.constantFrom('a', 'b', 'ab');
    const part = fc.oneof(word, fc.constantFrom('*', '#'));
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 6 }),
        fc.array(word, { minLength: 1, maxLength: 6 }),
        (parts, words) => {
          // Every word is written with a dot behind it, so that `#` is any number of them.
          const source = parts
            .map((part) => (part === '#' ? '(?:[^.]*\\.)*' : part === '*' ? '[^.]*\\.' : `${part}\\.`))
            .join('');
          const expected = new RegExp(`^${source}$`).test(`${words.join('.')}.`);
          expect(topicMatches(parts.join('.'), words.join('.'))).toBe(expected);
        },
      ),
    );
  });

  it('takes no longer for a pattern of many wildcards', () => {
    const words = Array.from({ length: 60 }, () => 'a').join('.');
    expect(topicMatches(`${'#.'.repeat(60)}b`, words)).toBe(false);
  });
});
