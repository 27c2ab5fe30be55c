import type { Place } from '../domain/cursor.js';

/** A connection that carries the events of one or more subscribers. */
export interface Connection {
  /** It holds as much unsent as it may: whoever sends waits for `drained`. */
  readonly full: boolean;
  /** Resolves when everything written has left, or the connection is gone. */
  drained(): Promise<void>;
}

/** A subscriber's way out. */
export interface Outlet<E> {
  readonly connection: Connection;
  /** Sends an event, and says where the stream goes on behind it. Asked only while the connection is not full. */
  send(event: E, after: Place): void;
}
