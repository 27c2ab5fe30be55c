import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, getIntrospectionQuery, Kind, parse, type OperationDefinitionNode } from 'graphql';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { costOf } from '../../src/graphql/cost.js';

const schema = buildSchema(readFileSync('schema/schema.graphql', 'utf8'));
const { apiMaxCost } = loadConfig({});

const operationsOf = (source: string) =>
  parse(source).definitions.filter(
    (definition): definition is OperationDefinitionNode => definition.kind === Kind.OPERATION_DEFINITION,
  );
const cost = (source: string, variables: Record<string, unknown> = {}) =>
  costOf({ schema, document: parse(source), operation: operationsOf(source)[0]!, variables });

describe('the cost of an operation', () => {
  it('is one for an object, nothing for its values', () => {
    expect(cost('{ organization { id name } }')).toBe(1);
    expect(cost('{ stagedReadingCount }')).toBe(0);
  });

  it('multiplies pages with what is selected of each node', () => {
    expect(cost('{ meterDevices(first: 100) { totalCount } }')).toBe(1);
    expect(cost('{ meterDevices(first: 100) { nodes { id } } }')).toBe(1 + 100);
    expect(cost('{ meterDevices(first: 100) { nodes { networkInterface { name } } } }')).toBe(1 + 100 * 2);
    expect(cost('{ meterDevices(first: 100) { edges { cursor node { id } } pageInfo { hasNextPage } } }')).toBe(
      1 + 100 * 2 + 1,
    );
    expect(cost('{ meterDevices(first: 100) { nodes { taskRuns(first: 20) { nodes { id } } } } }')).toBe(
      1 + 100 * (1 + 1 + 20),
    );
  });

  it('takes the usual size where none is given, and none above the largest that is served', () => {
    expect(cost('{ meterDevices { nodes { id } } }')).toBe(1 + 50);
    expect(cost('{ meterDevices(first: 2000000) { nodes { id } } }')).toBe(1 + 500);
    expect(cost('{ meterDevices(first: -5) { nodes { id } } }')).toBe(1 + 1);
    expect(cost('{ meterDevices(first: 1) { nodes { taskGroups { name } } } }')).toBe(1 + 1 * (1 + 10));
    expect(cost('{ latestReadings { value } }')).toBe(100);
  });

  it('reads sizes from variables and their defaults', () => {
    const source = 'query ($n: Int = 7) { meterDevices(first: $n) { nodes { id } } }';
    expect(cost(source)).toBe(1 + 7);
    expect(cost(source, { n: 400 })).toBe(1 + 400);
    expect(cost(source, { n: 'many' })).toBe(1 + 50);
    expect(cost(source, { n: Infinity })).toBe(1 + 500);
  });

  it('counts pages of readings by the hundred', () => {
    const readings = (first: string) =>
      `{ readings(meterDevice: "m", from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z"${first}) { next } }`;
    expect(cost(readings(', first: 3000'))).toBe(1 + 30);
    expect(cost(readings(''))).toBe(1 + 100);
  });

  it('counts fragments each time they are spread, and a field selected twice once', () => {
    const spread = '{ a: meterDevices(first: 10) { ...p } b: meterDevices(first: 20) { ...p } }';
    expect(cost(`${spread} fragment p on MeterDeviceConnection { nodes { id } }`)).toBe(1 + 10 + 1 + 20);
    expect(cost('{ organization { id } organization { name } }')).toBe(1);
    expect(
      cost('{ node(id: "x") { ... on MeterDevice { networkInterface { id } } ... on AmrTask { groups { id } } } }'),
    ).toBe(1 + 1 + 10);
  });

  it('adds ten for each mutation', () => {
    const one = (alias: string) => `${alias}: deleteAmrTask(input: {id: "x"}) { id }`;
    expect(cost(`mutation { ${one('a')} ${one('b')} }`)).toBe(2 * (10 + 1));
  });

  it('is found in no time for fragments that double at each level', () => {
    const fragments = Array.from(
      { length: 60 },
      (_, i) =>
        `fragment f${i} on MeterDevice { taskRuns { nodes { meterDevice { ...f${i + 1} } } } x: taskRuns { nodes { meterDevice { ...f${i + 1} } } } }`,
    );
    // 2^60 pages, were each measured where it is spread: the time-out tells.
    expect(
      cost(`{ meterDevice(id: "x") { ...f0 } } ${fragments.join(' ')} fragment f60 on MeterDevice { id }`),
    ).toBeGreaterThan(1e100);
  });

  it('leaves questions about the schema to the rules of graphql', () => {
    expect(cost(getIntrospectionQuery())).toBe(0);
  });

  it.each(
    ['src/graphql/operations', 'console/examples'].flatMap((folder) =>
      readdirSync(folder).map((name) => [join(folder, name)]),
    ),
  )('of %s is below the limit', (file) => {
    const document = parse(readFileSync(file, 'utf8'));
    for (const operation of operationsOf(readFileSync(file, 'utf8')))
      expect(costOf({ schema, document, operation, variables: { first: 500 } })).toBeLessThan(apiMaxCost);
  });
});
