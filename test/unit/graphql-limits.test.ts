import { buildSchema, parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { MAX_ALIASES, MAX_DEPTH, operationSizeRule } from '../../src/graphql/limits.js';

const schema = buildSchema('type Query { node: Node } type Node { id: ID! node: Node }');
const refusals = (document: string) =>
  validate(schema, parse(document), [operationSizeRule]).map(({ message }) => message);

const nested = (levels: number): string => (levels === 1 ? 'id' : `node { ${nested(levels - 1)} }`);
const aliased = (count: number) => Array.from({ length: count }, (_, i) => `a${i}: node { id }`).join(' ');

describe('limits of an operation', () => {
  it('let the deepest allowed pass and refuse one level more, naming both', () => {
    expect(refusals(`{ ${nested(MAX_DEPTH)} }`)).toEqual([]);
    expect(refusals(`{ ${nested(MAX_DEPTH + 1)} }`)).toEqual([
      expect.stringContaining(`${MAX_DEPTH + 1} levels deep; ${MAX_DEPTH}`),
    ]);
  });

  it('count the depth of fragments', () => {
    const document = `{ node { ...deep ... on Node { id } } } fragment deep on Node { ${nested(MAX_DEPTH)} }`;
    expect(refusals(document)).toEqual([expect.stringContaining('levels deep')]);
  });

  it('count aliases, those of a fragment each time it is spread', () => {
    expect(refusals(`{ ${aliased(MAX_ALIASES)} }`)).toEqual([]);
    expect(refusals(`{ ${aliased(MAX_ALIASES + 1)} }`)).toEqual([expect.stringContaining('aliases')]);
    const twice = `{ a: node { ...many } b: node { ...many } } fragment many on Node { ${aliased(MAX_ALIASES / 2)} }`;
    expect(refusals(twice)).toEqual([expect.stringContaining(`${MAX_ALIASES + 2} aliases`)]);
  });

  it('measure fragments that double at each level in no time', () => {
    const levels = 60;
    const fragments = Array.from({ length: levels }, (_, i) => `fragment f${i} on Node { ...f${i + 1} ...f${i + 1} }`);
    // 2^60 fragments, were each measured where it is spread: the time-out tells.
    expect(refusals(`{ node { ...f0 } } ${fragments.join(' ')} fragment f${levels} on Node { a: id }`)).toHaveLength(1);
  });

  it('end on fragments that contain each other', () => {
    expect(refusals('{ node { ...a } } fragment a on Node { ...b } fragment b on Node { ...a }')).toEqual([]);
  });

  it('carry their code', () => {
    const [error] = validate(schema, parse(`{ ${nested(MAX_DEPTH + 1)} }`), [operationSizeRule]);
    expect(error!.extensions).toEqual({ code: 'LIMIT_EXCEEDED' });
  });
});
