export interface NameSelection {
  name?: string | null;
  nameContains?: string | null;
  nameStartsWith?: string | null;
}

/** Text as a part of a pattern of `like` that stands for itself. */
export const escapePattern = (text: string): string => text.replace(/[\\%_]/g, '\\$&');
