import { connect, type Socket } from 'node:net';
import { MeterError, messageOf } from '../errors.js';
import type { Link, LinkFactory } from './link.js';

export interface TcpLinkOptions {
  host: string;
  port: number;
  connectTimeoutMs: number;
}

/** Received bytes that may wait for `receive`; beyond it the socket is paused, and TCP slows the sender down. */
const RECEIVE_BUFFER_BYTES = 256 * 1024;

/** Opens a TCP connection to a meter or its gateway. Refused is told from unreachable, which covers time-outs and unknown names. */
export function tcpLink({ host, port, connectTimeoutMs }: TcpLinkOptions): LinkFactory {
  const target = `${host}:${port}`;
  return (signal) =>
    new Promise<Link>((resolve, reject) => {
      if (signal.aborted) return reject(abortReason(signal, target));
      const socket = connect({ host, port, noDelay: true });
      const timer = setTimeout(
        () => fail(unreachable(`no connection to ${target} within ${connectTimeoutMs} ms`)),
        connectTimeoutMs,
      );
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        socket.removeListener('error', onError);
      };
      const fail = (error: Error) => {
        settle();
        socket.on('error', () => undefined);
        socket.destroy();
        reject(error);
      };
      const onAbort = () => fail(abortReason(signal, target));
      const onError = (error: NodeJS.ErrnoException) =>
        fail(
          error.code === 'ECONNREFUSED'
            ? new MeterError('CONNECT_REFUSED', `${target} refused the connection`, 'connect', { cause: error })
            : unreachable(`cannot reach ${target}: ${messageOf(error)}`, error),
        );
      signal.addEventListener('abort', onAbort, { once: true });
      socket.once('error', onError);
      socket.once('connect', () => {
        settle();
        resolve(new TcpLink(socket, target));
      });
    });
}

class TcpLink implements Link {
  #received: Uint8Array[] = [];
  #receivedBytes = 0;
  /** Why nothing more will arrive. Bytes that came before are still handed out. */
  #closed: (() => Error) | undefined;
  #wake: (() => void) | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly target: string,
  ) {
    socket.on('data', (bytes: Buffer) => {
      this.#received.push(bytes);
      this.#receivedBytes += bytes.length;
      if (this.#receivedBytes > RECEIVE_BUFFER_BYTES) socket.pause();
      this.#wake?.();
    });
    socket.on('end', () => this.#close(() => this.#lost(`${target} hung up`)));
    socket.on('error', (error) =>
      this.#close(() => this.#lost(`connection to ${target} lost: ${error.message}`, error)),
    );
    socket.on('close', () => this.#close(() => this.#lost(`connection to ${target} closed`)));
  }

  send(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed());
      this.socket.write(bytes, (error) => {
        if (error) reject(this.#closed?.() ?? this.#lost(`connection to ${this.target} lost: ${error.message}`, error));
        else resolve();
      });
    });
  }

  async receive(timeoutMs: number): Promise<Uint8Array> {
    if (this.#receivedBytes === 0 && !this.#closed) await this.#arrival(timeoutMs);
    if (this.#receivedBytes > 0) return this.#take();
    throw this.#closed?.() ?? new MeterError('TIMEOUT', `nothing from ${this.target} within ${timeoutMs} ms`);
  }

  destroy(reason?: Error): void {
    this.#received = [];
    this.#receivedBytes = 0;
    this.#close(() => reason ?? this.#lost(`connection to ${this.target} closed by us`));
    this.socket.destroy();
  }

  /** Resolves when bytes arrived, the connection ended or the time is up. One `receive` at a time. */
  #arrival(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      this.#wake = wake;
    });
  }

  #take(): Uint8Array {
    const bytes = this.#received.length === 1 ? this.#received[0]! : Buffer.concat(this.#received);
    this.#received = [];
    this.#receivedBytes = 0;
    this.socket.resume();
    return bytes;
  }

  /** `reason` makes the error for whoever asks: most sessions end with nobody asking, and its stack trace is dear. */
  #close(reason: () => Error): void {
    this.#closed ??= reason;
    this.#wake?.();
  }

  #lost(message: string, cause?: Error): MeterError {
    return new MeterError('CONNECTION_LOST', message, undefined, { cause });
  }
}

function unreachable(message: string, cause?: Error): MeterError {
  return new MeterError('UNREACHABLE', message, 'connect', { cause });
}

function abortReason(signal: AbortSignal, target: string): Error {
  return signal.reason instanceof MeterError
    ? signal.reason
    : new MeterError('CANCELLED', `connecting to ${target} was cancelled`, 'connect');
}
