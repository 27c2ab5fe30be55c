import { canonicalDecimal, isDecimal } from '../domain/decimal.js';

export interface NumberFormat {
  decimal: '.' | ',';
  thousands?: string;
}
export type NumberParser = (text: string) => string | undefined;

/** The parser of the numbers of a file: the value's canonical decimal, or undefined for anything else. Never a float. */
export function numberParser({ decimal, thousands }: NumberFormat): NumberParser {
  const escaped = thousands?.replace(/[.|*+?^$(){}\\]/g, '\\$&');
  // Only groups of three: `1.5` in a file with thousands `.` is a mistake in the profile, not 15.
  const grouped = escaped === undefined ? undefined : new RegExp(`^[+-]?\\d{1,3}(${escaped}\\d{3})+(?!\\d)`);
  return (text) => {
    let plain = text;
    if (thousands !== undefined && plain.includes(thousands)) {
      if (!grouped!.test(plain)) return undefined;
      plain = plain.replaceAll(thousands, '');
    }
    if (decimal === ',') {
      if (plain.includes('.')) return undefined;
      plain = plain.replace(',', '.');
    }
    return isDecimal(plain) ? canonicalDecimal(plain) : undefined;
  };
}
