import type { Connection } from './outlet.js';
import { replays } from './live-metrics.js';
import type { ReadingSubscriber } from './reading-subscriber.js';

/** Sends from the subscriber's place on until its connection is full, or it is live, or has ended. */
type Replay = () => Promise<void>;

interface Turn {
  readonly subscriber: Pick<ReadingSubscriber<unknown>, 'live' | 'ended' | 'end'>;
  readonly replay: Replay;
}

/**
 * Those who lag behind the live stream: all of a connection take turns, one each time it has room, so that none of them keeps the
 * others waiting. One of a connection that is never read waits for its room, and costs nothing else.
 */
export class Replays {
  readonly #queues = new Map<Connection, Turn[]>();

  add(connection: Connection, subscriber: Turn['subscriber'], replay: Replay): void {
    replays.inc();
    const turn = { subscriber, replay };
    const queue = this.#queues.get(connection);
    if (queue) {
      queue.push(turn);
      return;
    }
    const started = [turn];
    this.#queues.set(connection, started);
    void this.#serve(connection, started);
  }

  async #serve(connection: Connection, queue: Turn[]): Promise<void> {
    for (let turn = queue.shift(); turn; turn = queue.shift()) {
      const { subscriber, replay } = turn;
      while (connection.full && !subscriber.ended) {
        await connection.drained();
        await new Promise(setImmediate); // a connection that breaks says so to others first
      }
      try {
        if (!subscriber.ended) await replay();
      } catch (error) {
        subscriber.end(error);
      }
      if (!subscriber.live && !subscriber.ended) queue.push(turn);
    }
    this.#queues.delete(connection);
  }
}
