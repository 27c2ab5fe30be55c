import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/**
 * Whom limits are counted for: a token, known by its digest, or else the address. It is asked before the token is checked;
 * who invents tokens gains only cheap refusals. `authorization` stands for the header where a browser cannot send one, as
 * on a WebSocket.
 */
export function callerKey(request: Pick<IncomingMessage, 'headers' | 'socket'>, authorization?: string): string {
  const token = authorization ?? request.headers.authorization;
  return token ? tokenKey(token) : addressKey(request);
}

export function tokenKey(authorization: string): string {
  return `token ${createHash('sha256').update(authorization).digest('base64url')}`;
}

export function addressKey({ socket }: Pick<IncomingMessage, 'socket'>): string {
  return `address ${(socket.remoteAddress ?? 'unknown').replace(/^::ffff:/, '')}`;
}
