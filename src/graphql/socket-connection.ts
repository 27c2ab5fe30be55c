import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { drainOf } from './drain.js';
import type { Connection, Outlet } from './outlet.js';

/** Unsent bytes of one socket beyond which its subscriptions wait. */
const MAX_UNSENT_BYTES = 1_000_000;

/** The way out of a WebSocket. What is sent in one turn of the process goes to the network in one piece. */
export class SocketConnection implements Connection {
  readonly drained: () => Promise<void>;
  #corked = false;

  constructor(
    private readonly socket: WebSocket,
    private readonly network: Socket,
  ) {
    this.drained = drainOf(network);
  }

  /** False for one that closes: nothing is kept for it, and what is sent is dropped. */
  get full(): boolean {
    return this.socket.bufferedAmount > MAX_UNSENT_BYTES && this.socket.readyState === WebSocket.OPEN;
  }

  send(message: string): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    if (!this.#corked) {
      this.#corked = true;
      this.network.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.network.uncork();
      });
    }
    this.socket.send(message);
  }

  /** Sends results of an operation, given as JSON, in the envelope of graphql-transport-ws. */
  outletOf(id: string): Outlet<string> {
    const head = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
    return { connection: this, send: (result) => this.send(`${head}${result}}`) };
  }
}
