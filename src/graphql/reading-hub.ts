import type { GroupMembers } from './group-members.js';
import type { Outlet } from './outlet.js';
import { ReadingChannel, type ReadingRenderer } from './reading-channel.js';
import type { ReadingFilter } from './reading-filter.js';
import { ReadingSubscriber } from './reading-subscriber.js';
import type { ReadingTail } from './reading-tail.js';
import { ReplayLog } from './replay-log.js';
import { Replays } from './replays.js';
import type { Place } from '../domain/cursor.js';
import type pg from 'pg';
import type { Logger } from '../telemetry.js';

export interface ReadingHubOptions {
  readonly tail: ReadingTail;
  readonly members: GroupMembers;
  readonly pool: pg.Pool;
  readonly log: Logger;
}

interface OpenChannel {
  readonly channel: ReadingChannel<unknown>;
  subscribers: number;
}

/** All subscribers of readings of the process, put together by organization and selection. */
export class ReadingHub {
  readonly #channels = new Map<string, OpenChannel>();
  readonly #source;

  constructor({ tail, members, pool, log }: ReadingHubOptions) {
    const { recent } = tail;
    this.#source = { recent, members, log: new ReplayLog(pool, recent, log), replays: new Replays() };
    tail.onGrown(() => {
      members.refresh();
      for (const { channel } of this.#channels.values()) channel.advance();
    });
  }

  /** Serves a subscriber from a place on, until it is ended or `onEnd` tells of an error. Returns what ends it. */
  serve<E>(
    filter: ReadingFilter,
    place: Place,
    renderer: ReadingRenderer<E>,
    outlet: Outlet<E>,
    onEnd: (error?: unknown) => void,
  ): () => void {
    const key = `${filter.organizationId} ${renderer.key}`;
    const open = this.#openChannel(key, filter.organizationId, renderer);
    const subscriber = new ReadingSubscriber<E>(filter, outlet, place, (error) => {
      // Events of one key are all of one type: those of the renderer that made the channel.
      (open.channel as ReadingChannel<E>).remove(subscriber);
      if (--open.subscribers === 0) this.#channels.delete(key);
      onEnd(error);
    });
    open.subscribers++;
    (open.channel as ReadingChannel<E>).add(subscriber);
    return () => subscriber.end();
  }

  #openChannel<E>(key: string, organizationId: string, renderer: ReadingRenderer<E>): OpenChannel {
    const known = this.#channels.get(key);
    if (known) return known;
    const made = {
      channel: new ReadingChannel<E>(organizationId, renderer, this.#source) as ReadingChannel<unknown>,
      subscribers: 0,
    };
    this.#channels.set(key, made);
    return made;
  }
}
