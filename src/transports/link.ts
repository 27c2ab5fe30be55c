/** An open byte stream to a meter, from a socket or a serial port. */
export interface Link {
  /** Resolves when the bytes have been handed to the system. Rejects with a `MeterError` `CONNECTION_LOST`. */
  send(bytes: Uint8Array): Promise<void>;
  /**
   * The next bytes that arrived, at least one. Rejects with `MeterError` `TIMEOUT` after `timeoutMs` and
   * `CONNECTION_LOST` when the other side hung up.
   */
  receive(timeoutMs: number): Promise<Uint8Array>;
  /** Destroys the connection at once; every pending call rejects with `reason` (or `CONNECTION_LOST`). Safe to call twice. */
  destroy(reason?: Error): void;
}

/** Opens a link or rejects with `MeterError` `CONNECT_REFUSED` or `UNREACHABLE`. `signal` aborts the attempt. */
export type LinkFactory = (signal: AbortSignal) => Promise<Link>;
