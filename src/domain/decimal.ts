/** Most digits a value may have, sign and point aside. Far above any meter; bounds what one cell can cost. */
export const MAX_DECIMAL_DIGITS = 38;

const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)$/;

/** Whether `text` is a finite decimal such as `9000.1250` or `-0.5`: no exponent, no unit, at most 38 digits. */
export function isDecimal(text: string): boolean {
  if (text.length > MAX_DECIMAL_DIGITS + 2 || !DECIMAL.test(text)) return false;
  return text.length <= MAX_DECIMAL_DIGITS || text.replace(/[^\d]/g, '').length <= MAX_DECIMAL_DIGITS;
}

/** One spelling for each number: `+09000.1250` and `9000.125` both become `9000.125`. Equal values have equal canonical text. */
export function canonicalDecimal(text: string): string {
  const negative = text.startsWith('-');
  const [whole = '', fraction = ''] = text.replace(/^[+-]/, '').split('.');
  const integer = whole.replace(/^0+(?=\d)/, '') || '0';
  const decimals = fraction.replace(/0+$/, '');
  const magnitude = decimals === '' ? integer : `${integer}.${decimals}`;
  return negative && magnitude !== '0' ? `-${magnitude}` : magnitude;
}

/** Exact product, with the decimals of both factors: `"5.10"` times `"40"` is `"204.00"`. */
export function multiplyDecimals(a: string, b: string): string {
  const left = scaled(a);
  const right = scaled(b);
  const digits = left.digits * right.digits;
  const decimals = left.decimals + right.decimals;
  const text = (digits < 0n ? -digits : digits).toString().padStart(decimals + 1, '0');
  const magnitude = decimals === 0 ? text : `${text.slice(0, -decimals)}.${text.slice(-decimals)}`;
  return digits < 0n ? `-${magnitude}` : magnitude;
}

function scaled(text: string): { digits: bigint; decimals: number } {
  const [whole = '', fraction = ''] = text.replace(/^[+-]/, '').split('.');
  const digits = BigInt(whole + fraction);
  return { digits: text.startsWith('-') ? -digits : digits, decimals: fraction.length };
}

/** Exact quotient of a decimal by a whole number above 0, rounded half away from zero to `decimals`; canonical. */
export function divideDecimal(dividend: string, divisor: number, decimals: number): string {
  const { digits, decimals: has } = scaled(dividend);
  const shift = decimals - has;
  const numerator = (digits < 0n ? -digits : digits) * 10n ** BigInt(Math.max(shift, 0));
  const denominator = BigInt(divisor) * 10n ** BigInt(Math.max(-shift, 0));
  const rounded = (numerator * 2n + denominator) / (denominator * 2n);
  const text = rounded.toString().padStart(decimals + 1, '0');
  return canonicalDecimal(
    `${digits < 0n ? '-' : ''}${text.slice(0, text.length - decimals)}.${text.slice(text.length - decimals)}`,
  );
}
