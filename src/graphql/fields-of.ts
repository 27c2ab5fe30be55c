import { Kind, type FieldNode, type FragmentDefinitionNode, type SelectionSetNode } from 'graphql';

export interface SelectedField {
  readonly node: FieldNode;
  /** Name of the type that the innermost fragment around it is on; undefined outside fragments. */
  readonly on: string | undefined;
}

/** Where fragments are looked up: a validation context, or a document's own. */
export interface Fragments {
  getFragment(name: string): FragmentDefinitionNode | null | undefined;
}

/** The fields of a selection set, with those of its fragments; a fragment that is spread twice at one place adds nothing. */
export function fieldsOf(selectionSet: SelectionSetNode, fragments: Fragments): readonly SelectedField[] {
  const fields: SelectedField[] = [];
  const seen = new Set<string>();
  const open: { set: SelectionSetNode; on: string | undefined }[] = [{ set: selectionSet, on: undefined }];
  for (let at = open.pop(); at; at = open.pop()) {
    for (const selection of at.set.selections) {
      if (selection.kind === Kind.FIELD) fields.push({ node: selection, on: at.on });
      else if (selection.kind === Kind.INLINE_FRAGMENT)
        open.push({ set: selection.selectionSet, on: selection.typeCondition?.name.value ?? at.on });
      else if (!seen.has(selection.name.value)) {
        seen.add(selection.name.value);
        const fragment = fragments.getFragment(selection.name.value);
        if (fragment) open.push({ set: fragment.selectionSet, on: fragment.typeCondition.name.value });
      }
    }
  }
  return fields;
}

export function responseName(field: FieldNode): string {
  return (field.alias ?? field.name).value;
}
