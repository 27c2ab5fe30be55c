import { MeterError } from '../errors.js';
import { NetworkInterfaceKind } from '../domain/enums.js';
import type { Connection } from '../messaging/contracts.js';
import type { LinkFactory } from './link.js';
import { tcpLink } from './tcp.js';

/** How to open the link that a session message describes. Throws `UNSUPPORTED` for a kind this process cannot open. */
export function openLink(connection: Connection, { connectTimeoutMs }: { connectTimeoutMs: number }): LinkFactory {
  if (connection.kind === NetworkInterfaceKind.TCP) {
    return tcpLink({ host: connection.host, port: connection.port, connectTimeoutMs });
  }
  throw new MeterError(
    'UNSUPPORTED',
    `serial interfaces such as ${connection.path} cannot be used yet: reach the meter over TCP`,
    'connect',
  );
}
