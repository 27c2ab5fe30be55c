/**
 * Units as devices write them and their canonical names. The legacy text is ASCII with national variants (ISO 646): the
 * degree sign and the superscript arrive as different characters by firmware.
 */
const CANONICAL: ReadonlyMap<string, string> = new Map([
  ['m3', 'm3'],
  ['m^3', 'm3'],
  ['m\u00b3', 'm3'],
  ['Nm3', 'm3'],
  ['m3/h', 'm3/h'],
  ['m3|h', 'm3/h'],
  ['m\u00b3/h', 'm3/h'],
  ['bar', 'bar'],
  ['kPa', 'kPa'],
  ['C', '°C'],
  ['*C', '°C'],
  ['\u00b0C', '°C'],
  ['{C', '°C'],
  ['[C', '°C'],
  ['K', 'K'],
  ['kWh', 'kWh'],
  ['kW', 'kW'],
  ['Minutes', 'min'],
  ['Seconds', 's'],
]);

/** Canonical name of a unit. An unknown one is passed on as sent; a blank or a dash is no unit. */
export function canonicalUnit(raw: string | undefined): string | undefined {
  const text = raw?.trim() ?? '';
  if (text === '' || /^-+$/.test(text)) return undefined;
  return CANONICAL.get(text) ?? text;
}
