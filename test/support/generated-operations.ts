import {
  getNamedType,
  getNullableType,
  isInputObjectType,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLOutputType,
  type GraphQLSchema,
} from 'graphql';
import { HOUR } from './tenant.js';

type Values = Readonly<Record<string, unknown>>;
export type RootField = GraphQLField<unknown, unknown>;

/** A place in the arguments of a field where an id or a text can be given. */
export interface Slot {
  readonly path: readonly string[];
  readonly type: 'ID' | 'String' | 'Cursor';
  readonly isList: boolean;
}

const SPAN = { from: new Date(HOUR.getTime() - 60_000), to: new Date(HOUR.getTime() + 600_000) };
export const FROM = SPAN.from.toISOString();
export const TO = SPAN.to.toISOString();

/** Every id and text in the arguments of a field, also within its inputs. */
export function slotsOf(field: RootField): Slot[] {
  return field.args.flatMap((argument) => slotsIn(argument, []));
}

function slotsIn({ name, type }: GraphQLArgument | GraphQLInputField, above: readonly string[]): Slot[] {
  const path = [...above, name];
  const named = getNamedType(type);
  const isList = isListType(getNullableType(type));
  if (isInputObjectType(named)) {
    const inner = isList ? [...path, '0'] : path;
    return Object.values(named.getFields()).flatMap((field) => slotsIn(field, inner));
  }
  if (named.name === 'ID' || named.name === 'String' || named.name === 'Cursor')
    return [{ path, type: named.name, isList }];
  return [];
}

/** `values` with another value at one place. */
export function withValue(values: Values, { path, isList }: Slot, value: unknown): Values {
  const copy = structuredClone(values) as Record<string, unknown>;
  let at = copy;
  for (const [index, key] of path.slice(0, -1).entries()) {
    at[key] ??= /^\d+$/.test(path[index + 1]!) ? [] : {};
    at = at[key] as Record<string, unknown>;
  }
  at[path.at(-1)!] = isList ? [value] : value;
  return copy;
}

/** Arguments that a field cannot do without and `values` does not have. */
export function missingArguments(field: RootField, values: Values): string[] {
  return field.args.filter(({ name, type }) => isNonNullType(type) && !(name in values)).map(({ name }) => name);
}

/** An operation on one root field that selects all there is, `depth` types deep. */
export function operationOn(
  schema: GraphQLSchema,
  kind: 'query' | 'mutation' | 'subscription',
  field: RootField,
  values: Values,
  depth: number,
): string {
  const given = field.args.filter(({ name }) => name in values);
  const variables = given.map(({ name, type }) => `$${name}: ${String(type)}`).join(', ');
  const passed = given.map(({ name }) => `${name}: $${name}`).join(', ');
  const selection = selectionOf(schema, field.type, depth, []);
  return `${kind} ${variables && `(${variables})`} { ${field.name}${passed && `(${passed})`}${selection} }`;
}

function selectionOf(
  schema: GraphQLSchema,
  output: GraphQLOutputType,
  depth: number,
  above: readonly string[],
  prefix = '',
): string {
  const type = getNamedType(output);
  if (isLeafType(type)) return '';
  if (isInterfaceType(type)) {
    const parts = schema.getPossibleTypes(type).map((possible) => {
      // Under names of their own: fields of one name may differ in type.
      const inner = selectionOf(schema, possible, depth, above, `${possible.name}_`);
      return `... on ${possible.name} ${inner}`;
    });
    return ` { __typename ${parts.join(' ')} }`;
  }
  if (!isObjectType(type)) return ' { __typename }';
  const parts = Object.values(type.getFields()).flatMap((field): string[] => {
    const named = getNamedType(field.type);
    const alias = prefix && `${prefix}${field.name}: `;
    const required = field.args.filter((argument) => isNonNullType(argument.type)).map(({ name }) => name);
    const known: Record<string, string> = { from: FROM, to: TO };
    const unknown = required.filter((name) => !(name in known));
    if (unknown.length > 0) throw new Error(`${type.name}.${field.name} has no rule for ${unknown.join(', ')}`);
    const passed = required.map((name) => `${name}: "${known[name]}"`).join(', ');
    const call = `${alias}${field.name}${passed && `(${passed})`}`;
    if (isLeafType(named)) return [call];
    // The nodes themselves are selected beside their edges.
    if (named.name.endsWith('Edge')) return [`${call} { cursor }`];
    const isPage = named.name.endsWith('Connection') || named.name === 'PageInfo';
    if (above.includes(named.name) || (depth <= 1 && !isPage)) return [];
    return [call + selectionOf(schema, field.type, isPage ? depth : depth - 1, [...above, type.name])];
  });
  return ` { __typename ${parts.join(' ')} }`;
}
