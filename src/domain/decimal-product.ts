import { canonicalDecimal } from './decimal.js';

/** The exact product of two decimals (see `isDecimal`), in its canonical spelling. */
export function decimalProduct(a: string, b: string): string {
  const [digitsA, scaleA] = unscaled(a);
  const [digitsB, scaleB] = unscaled(b);
  const product = digitsA * digitsB;
  const scale = scaleA + scaleB;
  const digits = (product < 0n ? -product : product).toString().padStart(scale + 1, '0');
  const point = digits.length - scale;
  return canonicalDecimal(`${product < 0n ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`);
}

/** `-12.50` as -1250 with 2 decimals. */
function unscaled(text: string): [digits: bigint, scale: number] {
  const [whole = '', fraction = ''] = text.replace(/^[+-]/, '').split('.');
  const magnitude = BigInt(whole + fraction);
  return [text.startsWith('-') ? -magnitude : magnitude, fraction.length];
}
