import type { Database } from '../db/database.js';
import type { Broker } from '../messaging/broker.js';
import { ControlMessage, RunsChangedMessage, decode } from '../messaging/contracts.js';
import { pause } from '../retry.js';
import type { Logger } from '../telemetry.js';
import { mapStream, stoppable } from './async-streams.js';
import { delivered, subscribers } from './live-metrics.js';
import { GroupMembers } from './group-members.js';
import type { MeterCache } from './meter-cache.js';
import { ReadingFilter, type ReadingFilterInput } from './reading-filter.js';
import { ReadingHub } from './reading-hub.js';
import { placeAfter } from './reading-stream.js';
import { ReadingSubscription } from './reading-subscription.js';
import { ReadingTail, type ReadingTailOptions } from './reading-tail.js';
import { RunHub } from './run-hub.js';
import { streamRuns, type LoadRuns, type RunFilterInput, type RunRow } from './run-stream.js';

/** Pause before runs are loaded again after the database failed. */
const RETRY_MS = 1_000;

/** Live events of one API process: one listener and one store of recent batches, however many subscribers. */
export interface LiveFeed {
  /**
   * Committed readings that match, from now on; with `after` first everything committed behind that cursor. A stream
   * whose place was purged meanwhile ends with `CURSOR_EXPIRED`.
   * @throws InputError for an unknown id or a wrong cursor, GraphQLError `CURSOR_EXPIRED` for one that is too old
   */
  readings(
    organizationId: string,
    filter: ReadingFilterInput | null | undefined,
    after: string | null | undefined,
  ): Promise<ReadingSubscription>;
  /** Runs that match, each time they change. Changes close to each other come as one. */
  runs(organizationId: string, filter: RunFilterInput | null | undefined): AsyncIterable<RunRow>;
  /** Ends all streams. */
  close(): Promise<void>;
}

export interface LiveFeedOptions extends Pick<ReadingTailOptions, 'limits' | 'pollMs'> {
  database: Pick<Database, 'pool'>;
  broker: Broker;
  log: Logger;
  loadRuns: LoadRuns;
  /** Told when rows of meters change. */
  meters?: MeterCache;
}

export async function createLiveFeed({
  database,
  broker,
  log,
  loadRuns,
  meters,
  ...tuning
}: LiveFeedOptions): Promise<LiveFeed> {
  const { pool } = database;
  const open = new Set<{ end: () => Promise<unknown> }>();

  const tail = await ReadingTail.start({ pool, broker, log, ...tuning });
  const members = new GroupMembers(pool, log);
  const hub = new ReadingHub({ tail, members, pool, log });
  const control = await broker.listen(
    'amr.control',
    (body) => {
      const decoded = decode(ControlMessage, body);
      if (!decoded.ok) return log.debug({ reason: decoded.reason }, 'a control message was ignored');
      if (decoded.message.type !== 'rows_changed') return;
      meters?.forget(decoded.message.organization, decoded.message.meters);
      members.expire();
    },
    () => {
      meters?.forgetAll();
      members.expire();
    },
  );
  const runHub = new RunHub({ load: loadRuns, retry: waitForRetry });
  const listener = await broker.listen(
    'runs.changed',
    (body) => {
      const decoded = decode(RunsChangedMessage, body);
      if (!decoded.ok) return log.warn({ reason: decoded.reason }, 'a broadcast of changed runs cannot be read');
      const { organization, runs } = decoded.message;
      runHub.changed(organization, runs);
    },
    () => runHub.recheck(),
  );

  /** Counts the subscriber and its events, and makes the stream end with the feed. */
  function subscription<T>(
    name: string,
    run: (signal: AbortSignal) => AsyncGenerator<T, void, void>,
    onEnd: () => void = () => undefined,
  ): AsyncIterable<T> {
    subscribers.inc({ subscription: name });
    const stream = stoppable(run, () => {
      subscribers.dec({ subscription: name });
      open.delete(handle);
      onEnd();
    });
    const handle = { end: async () => stream.return?.() };
    open.add(handle);
    const count = delivered.labels({ subscription: name });
    return mapStream(stream, (event) => {
      count.inc();
      return event;
    });
  }

  async function waitForRetry(error: unknown, signal: AbortSignal): Promise<void> {
    log.warn({ err: error }, 'changed runs cannot be read; trying again');
    await pause(RETRY_MS, signal);
  }

  return {
    async readings(organizationId, filterInput, after) {
      // Taken before anything is awaited: what commits while the filter is looked up is already part of the stream.
      const live = { position: tail.recent.head + 1, taken: 0 };
      const filter = await ReadingFilter.create(pool, members, organizationId, filterInput ?? {});
      let from = live;
      try {
        if (after != null) from = await placeAfter(pool, after);
      } catch (error) {
        filter.release();
        throw error;
      }
      const subscription = new ReadingSubscription(hub, filter, from, () => open.delete(handle));
      const handle = { end: async () => subscription.end() };
      open.add(handle);
      return subscription;
    },
    runs(organizationId, filter) {
      const { inbox, end } = runHub.follow(organizationId, filter ?? {});
      return subscription(
        'taskRunUpdated',
        (signal) => streamRuns(inbox, filter ?? {}, runHub.load, waitForRetry, signal),
        end,
      );
    },
    async close() {
      await Promise.all([...open].map((stream) => stream.end()));
      runHub.close();
      await listener.drain();
      await control.drain();
      await tail.close();
    },
  };
}
