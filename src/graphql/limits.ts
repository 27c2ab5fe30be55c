import {
  GraphQLError,
  Kind,
  type ASTVisitor,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';

/** Bytes of one request body or WebSocket message. */
export const MAX_REQUEST_BYTES = 1_000_000;
/** Lexical tokens of a document; parsing stops there. */
export const MAX_TOKENS = 5_000;
/** Levels of fields below the operation. The introspection of GraphiQL needs 15. */
export const MAX_DEPTH = 16;
/** Aliased fields of an operation, those in fragments counted each time they are spread. */
export const MAX_ALIASES = 200;
/** Operations one WebSocket may have open at once. */
export const MAX_OPERATIONS_PER_SOCKET = 100;

interface Size {
  depth: number;
  aliases: number;
}

/** Refuses an operation that is too deep or repeats fields under too many aliases, before anything is executed. */
export const operationSizeRule: ValidationRule = (context: ValidationContext): ASTVisitor => {
  const fragments = new Map<string, Size>();

  function measure(selectionSet: SelectionSetNode): Size {
    const size = { depth: 0, aliases: 0 };
    for (const selection of selectionSet.selections) {
      const inner = sizeOf(selection);
      size.depth = Math.max(size.depth, inner.depth);
      size.aliases += inner.aliases;
    }
    return size;
  }

  function sizeOf(selection: SelectionSetNode['selections'][number]): Size {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return measureFragment(selection.name.value);
    const inner = selection.selectionSet ? measure(selection.selectionSet) : { depth: 0, aliases: 0 };
    if (selection.kind === Kind.INLINE_FRAGMENT) return inner;
    return { depth: inner.depth + 1, aliases: inner.aliases + (selection.alias ? 1 : 0) };
  }

  /** Each fragment is measured once, so that fragments nested in each other cannot cost exponential time. */
  function measureFragment(name: string): Size {
    const known = fragments.get(name);
    if (known) return known;
    // Stands in while the fragment is measured, for one that contains itself; another rule reports that.
    fragments.set(name, { depth: 0, aliases: 0 });
    const fragment = context.getFragment(name);
    const size = fragment ? measure(fragment.selectionSet) : { depth: 0, aliases: 0 };
    fragments.set(name, size);
    return size;
  }

  return {
    OperationDefinition(operation) {
      const { depth, aliases } = measure(operation.selectionSet);
      const refuse = (message: string) =>
        context.reportError(new GraphQLError(message, { nodes: operation, extensions: { code: 'LIMIT_EXCEEDED' } }));
      if (depth > MAX_DEPTH)
        refuse(`The operation is ${depth} levels deep; ${MAX_DEPTH} are allowed. Ask in several steps.`);
      if (aliases > MAX_ALIASES)
        refuse(`The operation has ${aliases} aliases; ${MAX_ALIASES} are allowed. Ask in several requests.`);
    },
  };
};
