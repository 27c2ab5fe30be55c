export interface NameSelection {
  name?: string | null;
  nameContains?: string | null;
}

/** Condition of the ORM for rows of a name, or with a part of it in any case. */
export function nameMatches({ name, nameContains }: NameSelection): object {
  return {
    ...(name != null && { name }),
    // A property may carry one condition object only; both together are therefore nested.
    ...(nameContains != null && { $and: [{ name: { $ilike: `%${escapePattern(nameContains)}%` } }] }),
  };
}

/** Text as a part of a pattern of `like` that stands for itself. */
export const escapePattern = (text: string): string => text.replace(/[\\%_]/g, '\\$&');
