import {
  getNamedType,
  isCompositeType,
  isListType,
  isNonNullType,
  Kind,
  OperationTypeNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLOutputType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { fieldsOf, responseName, type Fragments } from './fields-of.js';
import { LIST, LIST_SIZES, PAGE, type ListSize } from './list-sizes.js';

/** A change locks, writes and publishes. */
const MUTATION_COST = 10;

export interface CostedOperation {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly variables: Readonly<Record<string, unknown>> | undefined;
}

/**
 * The most an operation can cost, known before it is executed: 1 for each object, lists counted as long as they can be
 * (`first`, or the size of a page where it is not given), 10 for each mutation. Of a subscription: one event. Questions about
 * the schema are free; graphql bounds those itself.
 */
export function costOf({ schema, document, operation, variables }: CostedOperation): number {
  const root = schema.getRootType(operation.operation);
  if (!root) return 0;
  const values = { ...defaultsOf(operation), ...variables };
  const estimate = new Estimate(schema, fragmentsOf(document), values);
  const perField = operation.operation === OperationTypeNode.MUTATION ? MUTATION_COST : 0;
  const roots = new Set(fieldsOf(operation.selectionSet, fragmentsOf(document)).map(({ node }) => responseName(node)));
  return Math.ceil(estimate.of(operation.selectionSet, root, LIST) + perField * roots.size);
}

class Estimate {
  private readonly known = new Map<SelectionSetNode, number>();

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly fragments: Fragments,
    private readonly variables: Readonly<Record<string, unknown>>,
  ) {}

  /**
   * @param page size of `nodes` and `edges` below, when `parent` is a connection. A selection set has one field around
   * it, so it is always asked for with the same.
   */
  of(selectionSet: SelectionSetNode, parent: GraphQLCompositeType, page: ListSize): number {
    const known = this.known.get(selectionSet);
    if (known !== undefined) return known;
    // Stands in while the set is measured; validation has refused fragments that contain themselves.
    this.known.set(selectionSet, 0);
    let cost = 0;
    const seen = new Set<string>();
    for (const { node, on } of fieldsOf(selectionSet, this.fragments)) {
      const name = responseName(node);
      cost += this.ofField(node, (on === undefined ? undefined : this.typeNamed(on)) ?? parent, page, seen.has(name));
      seen.add(name);
    }
    this.known.set(selectionSet, cost);
    return cost;
  }

  /** @param again whether the same name was selected before: the answer has it once, with the selections of both */
  private ofField(node: FieldNode, parent: GraphQLCompositeType, page: ListSize, again: boolean): number {
    const field = 'getFields' in parent ? parent.getFields()[node.name.value] : undefined;
    if (!field || !node.selectionSet) return 0;
    const type = getNamedType(field.type);
    if (!isCompositeType(type)) return 0;
    const size = this.sizeOf(node, field, parent, page);
    const itemCost = again ? 0 : (size.itemCost ?? 1);
    const items = size.usual;
    if (isList(field.type)) return items * (itemCost + this.of(node.selectionSet, type, LIST));
    // Of an object with a page in it, such as a connection, the items are below, or counted here at their own price.
    const own = size.itemCost === undefined ? itemCost : 1 + items * itemCost;
    return own + this.of(node.selectionSet, type, size);
  }

  private sizeOf(
    node: FieldNode,
    field: GraphQLField<unknown, unknown>,
    parent: GraphQLCompositeType,
    page: ListSize,
  ): ListSize {
    const isPageOfConnection =
      parent.name.endsWith('Connection') && (field.name === 'nodes' || field.name === 'edges') && isList(field.type);
    if (isPageOfConnection) return page;
    const isPage =
      getNamedType(field.type).name.endsWith('Connection') || field.args.some(({ name }) => name === 'first');
    const size = LIST_SIZES[`${parent.name}.${field.name}`] ?? (isPage ? PAGE : LIST);
    const first = this.intArgument(node, 'first');
    return first === undefined ? size : { ...size, usual: Math.min(Math.max(first, 1), size.most) };
  }

  private intArgument(node: FieldNode, name: string): number | undefined {
    const value = node.arguments?.find((argument) => argument.name.value === name)?.value;
    if (value?.kind === Kind.INT) return Number(value.value);
    // A value of the wrong type is refused when variables are coerced.
    const variable = value?.kind === Kind.VARIABLE ? this.variables[value.name.value] : undefined;
    return typeof variable === 'number' ? variable : undefined;
  }

  private typeNamed(name: string): GraphQLCompositeType | undefined {
    const type = this.schema.getType(name);
    return isCompositeType(type) ? type : undefined;
  }
}

function isList(type: GraphQLOutputType): boolean {
  return isListType(isNonNullType(type) ? type.ofType : type);
}

function fragmentsOf(document: DocumentNode): Fragments {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  return { getFragment: (name) => fragments.get(name) };
}

/** Of variables that may be left out, those that are whole numbers: sizes of pages. */
function defaultsOf(operation: OperationDefinitionNode): Record<string, unknown> {
  const numbers = (operation.variableDefinitions ?? []).flatMap(({ variable, defaultValue }) =>
    defaultValue?.kind === Kind.INT ? [[variable.name.value, Number(defaultValue.value)] as const] : [],
  );
  return Object.fromEntries(numbers);
}
