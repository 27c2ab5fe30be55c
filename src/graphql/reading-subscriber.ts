import type { Place } from '../domain/cursor.js';
import type { Outlet } from './outlet.js';
import type { ReadingFilter } from './reading-filter.js';

/** One who follows readings: a filter, a way out and a place. Nothing that waits for it is kept here. */
export class ReadingSubscriber<E> {
  /** Served by its channel with each new batch; else it catches up by itself. */
  live = false;
  ended = false;

  /**
   * @param place where it goes on when it is not live; behind it nothing has been sent. A live one has got everything
   * before its channel's place as well.
   * @param onEnd called once, with the error where there is one
   */
  constructor(
    readonly filter: ReadingFilter,
    readonly outlet: Outlet<E>,
    public place: Place,
    private readonly onEnd: (error?: unknown) => void,
  ) {}

  end(error?: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.onEnd(error);
  }

  /** Whether the reading that is number `passed` of the batch at `position` has been sent, or left out, before. */
  hasPassed(position: number, passed: number): boolean {
    const { place } = this;
    return place.position > position || (place.position === position && passed <= place.taken);
  }
}
