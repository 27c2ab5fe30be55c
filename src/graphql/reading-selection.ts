import {
  getNamedType,
  getNullableType,
  getOperationAST,
  getVariableValues,
  isLeafType,
  isNonNullType,
  isObjectType,
  Kind,
  type ExecutionArgs,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLLeafType,
  type GraphQLObjectType,
} from 'graphql';
import { collectFields, type Selected } from './collect-fields.js';
import { CACHED_FIELDS } from './meter-cache.js';

/** A field of an answer whose value is written as its type serialises it. */
export interface LeafField {
  /** Its name in the answer. */
  readonly key: string;
  readonly name: string;
  /** Undefined for `__typename`. */
  readonly type: GraphQLLeafType | undefined;
  readonly nullable: boolean;
}

export interface MeterField {
  readonly key: string;
  readonly meter: readonly LeafField[];
}

/** What a subscription to readings selects, where it can be written from the columns of a batch and cached meters. */
export interface ReadingSelection {
  /** Name of the reading in the answer. */
  readonly key: string;
  readonly fields: readonly (LeafField | MeterField)[];
}

const READING_FIELDS: ReadonlySet<string> = new Set([
  'cursor',
  'series',
  'unit',
  'timestamp',
  'value',
  'quality',
  'origin',
  'receivedAt',
  'meteringPoint',
  'customerReference',
  'tariffReference',
  'revised',
  'late',
]);
const METER_FIELDS: ReadonlySet<string> = new Set(CACHED_FIELDS);

/** The selection of a validated `meterReadingAdded`; undefined for anything that only the executor can answer. */
export function readingSelection({
  schema,
  document,
  operationName,
  variableValues,
}: ExecutionArgs): ReadingSelection | undefined {
  const operation = getOperationAST(document, operationName);
  const root = schema.getSubscriptionType();
  if (!operation || !root) return undefined;
  const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], variableValues ?? {});
  if (!coerced) return undefined;
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const selected: Selected = { schema, fragments, variables: coerced };
  const below = (type: GraphQLObjectType, nodes: readonly FieldNode[]) =>
    collectFields(
      selected,
      type,
      nodes.map(({ selectionSet }) => selectionSet),
    );
  const [rootField, ...others] = collectFields(selected, root, [operation.selectionSet]);
  if (!rootField || others.length > 0) return undefined;
  const [key, nodes] = rootField;

  const reading = objectTypeOf(root, nodes[0]!);
  if (nodes[0]!.name.value !== 'meterReadingAdded' || !reading) return undefined;
  const fields: (LeafField | MeterField)[] = [];
  for (const [fieldKey, fieldNodes] of below(reading, nodes)) {
    const name = fieldNodes[0]!.name.value;
    if (name === 'meterDevice') {
      const meterType = objectTypeOf(reading, fieldNodes[0]!);
      if (!meterType) return undefined;
      const meter = [...below(meterType, fieldNodes)].map(([meterKey, [node]]) =>
        leafOf(meterType, meterKey, node!.name.value, METER_FIELDS),
      );
      if (!meter.every((field) => field !== undefined)) return undefined;
      fields.push({ key: fieldKey, meter });
    } else {
      const leaf = leafOf(reading, fieldKey, name, READING_FIELDS);
      if (!leaf) return undefined;
      fields.push(leaf);
    }
  }
  return { key, fields };
}

/** Equal for selections with equal answers. */
export function selectionKey({ key, fields }: ReadingSelection): string {
  const leaf = (field: LeafField) => [field.key, field.name];
  return JSON.stringify([
    key,
    ...fields.map((field) => ('meter' in field ? [field.key, field.meter.map(leaf)] : leaf(field))),
  ]);
}

function objectTypeOf(parent: GraphQLObjectType, node: FieldNode): GraphQLObjectType | undefined {
  const field = parent.getFields()[node.name.value];
  const type = field && getNamedType(field.type);
  return isObjectType(type) ? type : undefined;
}

function leafOf(
  parent: GraphQLObjectType,
  key: string,
  name: string,
  known: ReadonlySet<string>,
): LeafField | undefined {
  if (name === '__typename') return { key, name, type: undefined, nullable: false };
  const field = parent.getFields()[name];
  if (!field || !known.has(name)) return undefined;
  const type = getNamedType(field.type);
  // Lists of leaves are the quality codes alone.
  if (!isLeafType(type) || (getNullableType(field.type) !== type && name !== 'quality')) return undefined;
  return { key, name, type, nullable: !isNonNullType(field.type) };
}
