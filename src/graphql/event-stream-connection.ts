import type { ServerResponse } from 'node:http';
import { encodeCursor } from '../domain/cursor.js';
import { drainOf } from './drain.js';
import type { Connection, Outlet } from './outlet.js';

/** Unsent bytes of one response beyond which its subscription waits. */
const MAX_UNSENT_BYTES = 1_000_000;
/** Proxies close a response that says nothing for a minute. */
const HEARTBEAT_MS = 15_000;
/** Heartbeats in a row of which nothing left for the network before a peer counts as gone. */
const MAX_STUCK_HEARTBEATS = 4;

/** An open response of server-sent events, as the distinct connections mode of GraphQL over SSE has them. */
export class EventStreamConnection implements Connection {
  readonly drained: () => Promise<void>;
  readonly #heartbeat: NodeJS.Timeout;
  #left = 0;
  #stuck = 0;

  constructor(private readonly response: ServerResponse) {
    this.drained = drainOf(response.socket!);
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    response.once('close', () => clearInterval(this.#heartbeat));
  }

  get #isOpen(): boolean {
    return !this.response.writableEnded && !this.response.destroyed;
  }

  get full(): boolean {
    return this.#isOpen && this.response.writableLength > MAX_UNSENT_BYTES;
  }

  /** Sends results, given as JSON. The id is what a browser repeats as `Last-Event-ID` when it comes back. */
  readonly outlet: Outlet<string> = {
    connection: this,
    send: (result, after) => this.#write(`id: ${encodeCursor(after)}\nevent: next\ndata: ${result}\n\n`),
  };

  next(result: unknown): void {
    this.#write(`event: next\ndata: ${JSON.stringify(result)}\n\n`);
  }

  complete(): void {
    // Without data a browser would not show it.
    this.#write('event: complete\ndata: \n\n');
    this.response.end();
  }

  onClose(listener: () => void): void {
    this.response.once('close', listener);
    if (this.response.destroyed) listener();
  }

  /** Ends the response without a word: clients come back by themselves. */
  close(): void {
    this.response.end();
  }

  #write(text: string): void {
    if (this.#isOpen) this.response.write(text);
  }

  #beat(): void {
    const { socket } = this.response;
    const left = socket ? socket.bytesWritten - socket.writableLength : 0;
    this.#stuck = socket && socket.writableLength > 0 && left === this.#left ? this.#stuck + 1 : 0;
    this.#left = left;
    if (this.#stuck >= MAX_STUCK_HEARTBEATS) this.response.destroy();
    else if (this.#stuck === 0) this.#write(':\n\n');
  }
}
