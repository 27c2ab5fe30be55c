import { isEnumType, isInputObjectType, isInterfaceType, isObjectType, isScalarType } from 'graphql';
import { expect, it } from 'vitest';
import { buildGraphqlSchema } from '../../src/graphql/schema.js';

const schema = await buildGraphqlSchema();
const types = Object.values(schema.getTypeMap()).filter((type) => !type.name.startsWith('__'));

it('describes every type, field, argument and enum value', () => {
  const missing: string[] = [];
  const check = (path: string, { description }: { description?: string | null }) => {
    if (!description) missing.push(path);
  };
  for (const type of types) {
    check(type.name, type);
    if (isEnumType(type)) for (const value of type.getValues()) check(`${type.name}.${value.name}`, value);
    if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) check(`${type.name}.${field.name}`, field);
    }
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const field of Object.values(type.getFields())) {
        check(`${type.name}.${field.name}`, field);
        for (const argument of field.args) check(`${type.name}.${field.name}(${argument.name})`, argument);
      }
    }
  }
  const ours = missing.filter((path) => !/^(Query|Mutation|Subscription|String|Int|Float|Boolean|ID)$/.test(path));
  expect(ours).toEqual([]);
});

it('never shows credentials, nor ids that relations are resolved from', () => {
  const shown = types.filter(isObjectType).flatMap((type) => Object.keys(type.getFields()));
  expect(shown).not.toContain('credentials');
  // A message is no row that could be shown instead, and what an audit entry is about may be gone.
  const rowless = ['messageId', 'subjectId'];
  expect(shown.filter((field) => /[a-z]Id$/.test(field) && !rowless.includes(field))).toEqual([]);
});

it('returns rows in connections, apart from lists that are bounded by themselves', () => {
  const query = schema.getQueryType()!.getFields();
  const lists = Object.values(query).filter((field) => String(field.type).startsWith('['));
  expect(lists.map((field) => field.name).sort()).toEqual([
    'deadLetterGroups',
    'latestReadings',
    'lossAccountByMinute',
    'meterExecutionTypes',
    'serviceObjectives',
    'workers',
  ]);
});

it('gives an example where a format matters', () => {
  const ours = types.filter((type) => isScalarType(type) && !/^(String|Int|Float|Boolean|ID)$/.test(type.name));
  expect(ours.length).toBeGreaterThan(4);
  const formats =
    /^(taskKwargs|nameStartsWith|meterExecutionType|taskCall|unit|credentials|timeZone|idempotencyKey|errorCode)$/;
  const fields = types
    .filter(isInputObjectType)
    .flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })))
    .filter(({ field }) => formats.test(field.name));
  const places = [
    ...ours.map(({ name, description }) => ({ name, description })),
    ...fields.map(({ type, field }) => ({ name: `${type.name}.${field.name}`, description: field.description })),
  ];
  const without = places.filter(({ description }) => !/e\.g\.|such as/i.test(description ?? ''));
  expect(without.map(({ name }) => name)).toEqual([]);
});
