/** Sets bit 7 of each seven-bit character to its even-parity bit, for gateways that are eight-bit pipes (clause 5.2). */
export function withEvenParity(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => {
    let ones = 0;
    for (let rest = byte & 0x7f; rest > 0; rest >>= 1) ones ^= rest & 1;
    return (byte & 0x7f) | (ones << 7);
  });
}
