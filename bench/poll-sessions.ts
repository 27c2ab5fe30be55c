import { ReadingOrigin } from '../src/domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../src/domain/organization.js';
import { uuidAt } from '../src/domain/uuid.js';
import { ACK, type Broker } from '../src/messaging/broker.js';
import { encode, parseJson, type PollSessionMessage, type ResultMessage } from '../src/messaging/contracts.js';
import type { SimulatedMeter } from './simulated-meters.js';

/** Publishes that may wait for their confirm. */
const UNCONFIRMED = 5_000;

/** What the dispatcher would send for one run of `call` on `meter`. */
export function pollSession(
  { port, serialNumber }: SimulatedMeter,
  call: { task_call: string; task_kwargs: PollSessionMessage['calls'][number]['task_kwargs'] },
  origin: PollSessionMessage['origin'] = ReadingOrigin.SCHEDULED,
): PollSessionMessage {
  return {
    version: 1,
    session: uuidAt(),
    attempt: 1,
    organization: DEFAULT_ORGANIZATION_ID,
    origin,
    meter: {
      id: uuidAt(),
      name: `BENCH-${serialNumber}`,
      serial_number: serialNumber,
      model: 'EK280',
      time_zone: 'UTC',
    },
    connection: { kind: 'tcp', host: '127.0.0.1', port } as PollSessionMessage['connection'],
    calls: [{ run: uuidAt(), meter_execution_type: 'generic_lis200', ...call }],
    start_by_ms: 600_000,
    session_cap_ms: 300_000,
  };
}

/** Publishes sessions to the queue of their origin; resolves when all are confirmed. */
export async function publishSessions(broker: Broker, sessions: Iterable<PollSessionMessage>): Promise<void> {
  let waiting: Promise<void>[] = [];
  for (const session of sessions) {
    const queue = session.origin === ReadingOrigin.ON_DEMAND ? 'amr.on_demand' : 'amr.scheduled';
    waiting.push(
      broker.publish(queue, encode(session), { messageId: session.session, expiresAfterMs: session.start_by_ms }),
    );
    if (waiting.length < UNCONFIRMED) continue;
    await Promise.all(waiting);
    waiting = [];
  }
  await Promise.all(waiting);
}

export interface PollResults {
  succeeded: number;
  readings: number;
  /** Failed runs by error code, and sessions that were lost. */
  readonly failed: Map<string, number>;
  /** Milliseconds since the epoch: when the poller reported the first session as begun and the last one as over. */
  firstStartedAt: number;
  lastFinishedAt: number;
}

/** Takes the results of `sessions` sessions off `amr.results`. Rejects when they are not all there within `withinMs`. */
export async function collectResults(broker: Broker, sessions: number, withinMs: number): Promise<PollResults> {
  const results: PollResults = {
    succeeded: 0,
    readings: 0,
    failed: new Map(),
    firstStartedAt: Infinity,
    lastFinishedAt: 0,
  };
  const fail = (why: string) => results.failed.set(why, (results.failed.get(why) ?? 0) + 1);
  const finished = new Set<string>();
  let done!: () => void;
  const all = new Promise<void>((resolve) => (done = resolve));
  const consumer = await broker.consume(
    'amr.results',
    async ({ body, publishedAt = NaN }) => {
      const result = parseJson(body) as ResultMessage;
      if (result.type === 'session_started') {
        results.firstStartedAt = Math.min(results.firstStartedAt, publishedAt);
      } else if (result.type === 'run_finished') {
        results.readings += result.reading_count;
        if (result.ok) results.succeeded++;
        else fail(result.error?.code ?? 'INTERNAL');
      } else if (result.type === 'session_finished') {
        results.lastFinishedAt = Math.max(results.lastFinishedAt, publishedAt);
        if (result.outcome === 'lost') fail('LOST');
        finished.add(result.session);
        if (finished.size === sessions) done();
      }
      return ACK;
    },
    { prefetch: 1_000 },
  );
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`only ${finished.size} of ${sessions} sessions were over within ${withinMs / 1000} s`)),
      withinMs,
    );
  });
  try {
    await Promise.race([all, late]);
  } finally {
    clearTimeout(timer);
    await consumer.drain();
  }
  return results;
}

/** `4 TIMEOUT, 1 LOST`, or `none`. */
export function describeFailures({ failed }: PollResults): string {
  return [...failed].map(([code, count]) => `${count} ${code}`).join(', ') || 'none';
}
