import { once } from 'node:events';
import { WebSocket } from 'ws';
import { own } from '../src/scratch/owned.js';

/** Operations of one socket: as many as the API allows. */
export const PER_SOCKET = 100;
const OPEN_MS = 30_000;

/** A crowd of subscribers, a hundred to a socket, that does with a message only what it is told. */
export class FanoutClient {
  private readonly sockets: WebSocket[] = [];

  private constructor(private readonly onMessage: (data: Buffer) => void) {
    own(() => this.close());
  }

  /** @param variables of each subscriber */
  static async open(
    url: string,
    query: string,
    variables: readonly object[],
    onMessage: (data: Buffer) => void,
  ): Promise<FanoutClient> {
    const client = new FanoutClient(onMessage);
    for (let from = 0; from < variables.length; from += PER_SOCKET) {
      await client.openSocket(url, query, variables.slice(from, from + PER_SOCKET));
    }
    return client;
  }

  private async openSocket(url: string, query: string, variables: readonly object[]): Promise<void> {
    const socket = new WebSocket(url, 'graphql-transport-ws', { handshakeTimeout: OPEN_MS, perMessageDeflate: false });
    this.sockets.push(socket);
    await once(socket, 'open', { signal: AbortSignal.timeout(OPEN_MS) });
    socket.send('{"type":"connection_init"}');
    await once(socket, 'message', { signal: AbortSignal.timeout(OPEN_MS) });
    socket.on('message', this.onMessage);
    variables.forEach((own, index) =>
      socket.send(JSON.stringify({ id: String(index), type: 'subscribe', payload: { query, variables: own } })),
    );
  }

  /** From here on it reads nothing more. */
  stall(): void {
    for (const socket of this.sockets) socket.pause();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.terminate();
  }
}
