/** Spreadsheets take text that begins so for a formula, and carry it out. */
const FORMULA = /^[=+\-@\t\r]/;
const SPECIAL = /[",\r\n]/;

/** A cell of text that people or devices entered: quoted where needed (RFC 4180), with an apostrophe before what would be a formula. */
export function csvText(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return SPECIAL.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
