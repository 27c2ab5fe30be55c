/** On every answer; pages that need more, such as GraphiQL, say so themselves. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

const LINES = Object.entries(SECURITY_HEADERS)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');

/** An answer without body that ends its connection, for what never becomes a request of the HTTP framework. */
export function bareAnswer(statusLine: string): string {
  return `HTTP/1.1 ${statusLine}\r\n${LINES}Connection: close\r\nContent-Length: 0\r\n\r\n`;
}
