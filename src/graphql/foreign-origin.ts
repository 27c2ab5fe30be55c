import type { IncomingMessage } from 'node:http';

/** Browsers let any site open a connection to any host, and only say which site it was. Other clients send no origin. */
export function isForeign({ headers: { origin, host } }: IncomingMessage): boolean {
  return origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host);
}
