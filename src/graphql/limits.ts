import {
  GraphQLError,
  type ASTVisitor,
  type FieldNode,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';
import { fieldsOf, responseName } from './fields-of.js';
import { countRefusal, type RefusalReason } from './refusals.js';

/** Bytes of one request body or WebSocket message. */
export const MAX_REQUEST_BYTES = 1_000_000;
/** Lexical tokens of a document; parsing stops there. */
export const MAX_TOKENS = 5_000;
/** Levels of fields below the operation. The introspection of GraphiQL needs 15. */
export const MAX_DEPTH = 16;
/** Times that an operation asks again, under another alias, for a field it already has at the same place. */
export const MAX_ALIASES = 200;
/** Fields at the top of an operation, under distinct names. */
export const MAX_ROOT_FIELDS = 100;
/** Directives applied in one document. */
export const MAX_DIRECTIVES = 50;
/** Operations one WebSocket may have open at once. */
export const MAX_OPERATIONS_PER_SOCKET = 100;

interface Size {
  readonly depth: number;
  readonly aliases: number;
}

const EMPTY: Size = { depth: 0, aliases: 0 };

/** Refuses operations that are too deep, too wide, or repeat fields under too many aliases, before anything is executed. */
export function sizeRule(maxDepth: number): ValidationRule {
  return (context) => sizeVisitor(context, maxDepth);
}

/** The same with the usual depth. */
export const operationSizeRule = sizeRule(MAX_DEPTH);

function sizeVisitor(context: ValidationContext, maxDepth: number): ASTVisitor {
  const measured = new Map<SelectionSetNode, Size>();
  let directives = 0;

  /** Each selection set is measured once, so that fragments nested in each other cannot cost exponential time. */
  function measure(selectionSet: SelectionSetNode): Size {
    const known = measured.get(selectionSet);
    if (known) return known;
    // Stands in while the set is measured, for a fragment that contains itself; another rule reports that.
    measured.set(selectionSet, EMPTY);
    const fields = fieldsOf(selectionSet, context).map(({ node }) => node);
    let depth = 0;
    // A client that names every field once, its own way, repeats nothing.
    let aliases = repetitionsIn(fields);
    for (const { selectionSet: inner } of fields) {
      const size = inner ? measure(inner) : EMPTY;
      depth = Math.max(depth, size.depth + 1);
      aliases += size.aliases;
    }
    const size = { depth, aliases };
    measured.set(selectionSet, size);
    return size;
  }

  const refuse = (reason: RefusalReason, operation: OperationDefinitionNode | undefined, message: string) => {
    countRefusal(reason);
    context.reportError(new GraphQLError(message, { nodes: operation, extensions: { code: 'LIMIT_EXCEEDED' } }));
  };

  return {
    OperationDefinition(operation) {
      const { depth, aliases } = measure(operation.selectionSet);
      const roots = new Set(fieldsOf(operation.selectionSet, context).map(({ node }) => responseName(node))).size;
      if (depth > maxDepth)
        refuse(
          'depth',
          operation,
          `The operation is ${depth} levels deep; ${maxDepth} are allowed. Ask in several steps.`,
        );
      if (aliases > MAX_ALIASES)
        refuse(
          'aliases',
          operation,
          `The operation repeats fields under ${aliases} aliases; ${MAX_ALIASES} are allowed. Ask in several requests, or with a list.`,
        );
      if (roots > MAX_ROOT_FIELDS)
        refuse(
          'root_fields',
          operation,
          `The operation has ${roots} fields at its top; ${MAX_ROOT_FIELDS} are allowed. Ask in several requests.`,
        );
    },
    Directive() {
      if (++directives === MAX_DIRECTIVES + 1)
        refuse(
          'directives',
          undefined,
          `The document applies more than ${MAX_DIRECTIVES} directives. Leave out what is not needed instead.`,
        );
    },
  };
}

function repetitionsIn(fields: readonly FieldNode[]): number {
  const names = new Map<string, Set<string>>();
  for (const field of fields) {
    const known = names.get(field.name.value);
    if (known) known.add(responseName(field));
    else names.set(field.name.value, new Set([responseName(field)]));
  }
  let repetitions = 0;
  for (const { size } of names.values()) repetitions += size - 1;
  return repetitions;
}
