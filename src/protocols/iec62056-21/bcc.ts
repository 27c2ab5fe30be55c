/**
 * Block check character of IEC 62056-21: XOR of every byte after the first SOH or STX up to and including the ETX or EOT,
 * seven bits. `body` is exactly those bytes. The result can be any value, also ETX or NUL: find it by position.
 */
export function bcc(body: Uint8Array): number {
  let sum = 0;
  for (const byte of body) sum ^= byte;
  return sum & 0x7f;
}
