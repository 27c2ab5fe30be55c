import { buildSchema, parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import {
  MAX_ALIASES,
  MAX_DEPTH,
  MAX_DIRECTIVES,
  MAX_ROOT_FIELDS,
  operationSizeRule,
  sizeRule,
} from '../../src/graphql/limits.js';
import { metrics } from '../../src/telemetry.js';

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

  it('count fields that are repeated under other aliases, those of a fragment each time it is spread', () => {
    expect(refusals(`{ node { ${aliased(MAX_ALIASES + 1)} } }`)).toEqual([]);
    expect(refusals(`{ node { ${aliased(MAX_ALIASES + 2)} } }`)).toEqual([expect.stringContaining('aliases')]);
    const half = MAX_ALIASES / 2 + 1;
    const twice = `{ a: node { ...many } b: node { ...many } } fragment many on Node { ${aliased(half)} }`;
    expect(refusals(twice)).toEqual([expect.stringContaining(`${MAX_ALIASES + 1} aliases`)]);
  });

  it('do not count an alias that repeats nothing, nor the same one again', () => {
    const chain = `{ ${'a: node { b: id '.repeat(3)}${'}'.repeat(3)} }`;
    expect(refusals(chain)).toEqual([]);
    expect(refusals(`{ node { ${'a: id '.repeat(MAX_ALIASES * 2)} } }`)).toEqual([]);
  });

  it('count the fields at the top under distinct names, also those of a fragment', () => {
    expect(refusals(`{ ${aliased(MAX_ROOT_FIELDS)} ${aliased(1)} }`)).toEqual([]);
    const fragment = `query { ...f } fragment f on Query { ${aliased(MAX_ROOT_FIELDS + 1)} }`;
    expect(refusals(fragment)).toEqual([expect.stringContaining(`${MAX_ROOT_FIELDS + 1} fields at its top`)]);
  });

  it('count directives of the document and report it once', () => {
    const skipped = (count: number) => Array.from({ length: count }, (_, i) => `a${i}: id @skip(if: false)`).join(' ');
    expect(refusals(`{ node { ${skipped(MAX_DIRECTIVES)} } }`)).toEqual([]);
    expect(refusals(`{ node { ${skipped(MAX_DIRECTIVES * 2)} } }`)).toEqual([expect.stringContaining('directives')]);
  });

  it('take another depth', () => {
    expect(validate(schema, parse(`{ ${nested(5)} }`), [sizeRule(4)])).toHaveLength(1);
  });

  it('are counted by reason', async () => {
    const count = async () =>
      (await metrics.getSingleMetricAsString('amr_api_refused_total')).match(/"depth"} (\d+)/)?.[1];
    const before = Number((await count()) ?? 0);
    refusals(`{ ${nested(MAX_DEPTH + 1)} }`);
    expect(Number(await count())).toBe(before + 1);
  });

  it('measure fragments that double at each level in no time', () => {
    const levels = 60;
    const fragments = Array.from(
      { length: levels },
      (_, i) => `fragment f${i} on Node { ...f${i + 1} node { ...f${i + 1} } a${i}: node { ...f${i + 1} } }`,
    );
    // 3^60 fragments, were each measured where it is spread: the time-out tells.
    expect(refusals(`{ node { ...f0 } } ${fragments.join(' ')} fragment f${levels} on Node { a: id }`)).not.toEqual([]);
  });

  it('end on fragments that contain each other', () => {
    expect(refusals('{ node { ...a } } fragment a on Node { ...b } fragment b on Node { ...a }')).toEqual([]);
  });

  it('carry their code', () => {
    const [error] = validate(schema, parse(`{ ${nested(MAX_DEPTH + 1)} }`), [operationSizeRule]);
    expect(error!.extensions).toEqual({ code: 'LIMIT_EXCEEDED' });
  });
});
