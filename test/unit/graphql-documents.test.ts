import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, Kind, lexicographicSortSchema, parse, printSchema, specifiedRules, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { operationSizeRule } from '../../src/graphql/limits.js';
import { buildGraphqlSchema } from '../../src/graphql/schema.js';

const emitted = buildSchema(readFileSync('schema/schema.graphql', 'utf8'));
const files = (folder: string) => readdirSync(folder).map((name) => join(folder, name));

describe('schema.graphql', () => {
  it('is what the code serves; if not, run `npm run emit-schema`', async () => {
    expect(printSchema(emitted)).toBe(printSchema(lexicographicSortSchema(await buildGraphqlSchema())));
  });
});

describe('GraphQL documents', () => {
  it.each(files('console/examples'))('%s is valid', (file) => {
    const document = parse(readFileSync(file, 'utf8'));
    expect(validate(emitted, document, [...specifiedRules, operationSizeRule])).toEqual([]);
  });

  it('of src/graphql/operations are what the typed documents hold; if not, run `npm run codegen`', () => {
    const generated = readFileSync('src/graphql/generated/graphql.ts', 'utf8');
    const names = files('src/graphql/operations').flatMap((file) =>
      parse(readFileSync(file, 'utf8')).definitions.flatMap((definition) =>
        definition.kind === Kind.OPERATION_DEFINITION ? (definition.name?.value ?? []) : [],
      ),
    );
    expect(names.filter((name) => !generated.includes(`export const ${name}Document`))).toEqual([]);
  });
});
