import pg from 'pg';
import { pino } from 'pino';
import { createKeyPair } from '../src/credentials.js';
import { createClient } from '../src/graphql/client.js';
import { MeterReadingAddedDocument, TypedDocumentString } from '../src/graphql/generated/graphql.js';
import { connectBroker } from '../src/messaging/connect-broker.js';
import type { Broker } from '../src/messaging/broker.js';
import { messageOf } from '../src/errors.js';
import { pause } from '../src/retry.js';
import { startAmr } from '../src/scratch/amr-process.js';
import { Arrivals } from './arrivals.js';
import { bareRoundTrip } from './bare-round-trip.js';
import { fmt, machine } from './machine.js';
import { choiceOption, wholeOption } from './options.js';
import { own } from '../src/scratch/owned.js';
import { atPace } from './pace.js';
import { percentiles } from './percentiles.js';
import { FIRST_AT, positionOf, QUARTER_HOUR_MS, ReadingPlan } from './reading-plan.js';
import { createScratch } from '../src/scratch/scratch.js';
import { storeMeters } from './stored-meters.js';

const BARS = { p50: 60, p99: 250 };
/** At the full pace, and not counted. */
const WARM_UP_SECONDS = 3;
/** For what is still on its way after the last publish. */
const DEADLINE_MS = 30_000;
/** Time in which a reading that comes twice would come again. */
const REPEATS_MS = 1_000;
const PROBE_EVERY_MS = 200;

interface Seen {
  meterReadingAdded: { timestamp: string; value: string };
}
type Selection = TypedDocumentString<Seen, Record<string, never>>;
/** What a subscriber asks for of each reading: with its meter, as `amr watch` does, or nothing that is looked up. */
const SELECTIONS = {
  meter: MeterReadingAddedDocument as unknown as Selection,
  reading: new TypedDocumentString<Seen, Record<string, never>>(
    'subscription { meterReadingAdded { cursor series timestamp value quality origin receivedAt } }',
  ),
};

/**
 * From the publish to a subscriber of `meterReadingAdded` over WebSocket, with server and ingester as processes of their own and
 * readings published with confirms at an even pace; beside it the broker's own round trip at the same pace.
 */
export async function run(options: Map<string, string>): Promise<void> {
  const rate = wholeOption(options, 'rate', 2_000, 10, 100_000);
  const seconds = wholeOption(options, 'seconds', 30, 5, 900);
  const meters = wholeOption(options, 'meters', 2_000, 1, 100_000);
  const perMessage = wholeOption(options, 'per-message', 1, 1, 1_000);
  const select = choiceOption(options, 'select', 'meter', Object.keys(SELECTIONS) as (keyof typeof SELECTIONS)[]);
  console.log(
    `settings: ${machine()}, ${fmt(rate)} readings/s for ${seconds} s, ${perMessage} in a message, ${fmt(meters)} meters, the subscriber selects the ${select}`,
  );
  const plan = new ReadingPlan(meters, perMessage, FIRST_AT, QUARTER_HOUR_MS);
  const pace = rate / perMessage;
  const warmUp = Math.ceil(pace * WARM_UP_SECONDS);
  const messages = warmUp + Math.ceil(pace * seconds);
  const readings = messages * perMessage;
  const bodies = Array.from({ length: messages }, (_, index) => plan.message(index));

  const scratch = await createScratch('bench');
  const client = new pg.Client({ connectionString: scratch.databaseUrl });
  await client.connect();
  await storeMeters(client, plan, readings);
  await client.end();
  const bare = await bareRoundTrip(scratch, pace, bodies);
  report('bare round trip', bare.subarray(warmUp));

  const env = {
    DATABASE_URL: scratch.databaseUrl,
    AMQP_URL: scratch.amqpUrl,
    AMR_QUEUE_PREFIX: scratch.queuePrefix,
    AMR_HTTP_PORT: '0',
    AMR_CREDENTIALS_PUBLIC_KEY: createKeyPair().publicKey,
  };
  const profile = options.get('profile');
  const processes = await Promise.all([
    startAmr(['server'], { env, profile }),
    startAmr(['ingester'], { env, profile }),
  ]);
  const broker = await connectBroker(scratch, pino({ level: 'silent' }));
  own(() => broker.close());

  const arrivals = new Arrivals(readings);
  const subscription = subscribe(
    `${/^server (\S+)/.exec(processes[0].ready)![1]!}/graphql`,
    SELECTIONS[select],
    plan,
    arrivals,
  );
  await probe(broker, plan, subscription.begun);
  const before = await Promise.all(processes.map((amr) => amr.metrics()));
  const startedAt = performance.now();
  const unconfirmed: Promise<void>[] = [];
  const behindMs = await atPace(pace, messages, (index) => {
    const at = performance.now();
    for (let offset = 0; offset < perMessage; offset++) arrivals.publish(index * perMessage + offset, at);
    unconfirmed.push(broker.publish('readings.new', bodies[index]!));
  });
  await Promise.all(unconfirmed);
  const took = (performance.now() - startedAt) / 1000;
  await Promise.race([arrivals.allSeen, pause(DEADLINE_MS)]);
  const busy = (performance.now() - startedAt) / 1000;
  const cores = await Promise.all(
    processes.map(async (amr, index) => {
      const name = 'process_cpu_seconds_total';
      return (((await amr.metrics())(name) - before[index]!(name)) / busy).toFixed(2);
    }),
  );
  await pause(REPEATS_MS);
  await subscription.stop();

  const [p50, , p99] = report('publish to subscriber', arrivals.tookFrom(warmUp * perMessage));
  const { missing, repeated, strangers } = arrivals;
  const complete = missing === 0 && repeated === 0 && strangers === 0;
  const fast = p50! < BARS.p50 && p99! < BARS.p99;
  console.log(
    `published at ${fmt(readings / took)} readings/s, at most ${behindMs.toFixed(0)} ms behind the pace; cores in use until the last was seen: server ${cores[0]}, ingester ${cores[1]}`,
  );
  console.log(
    `${fmt(readings)} readings: ${missing} missing, ${repeated} seen more than once, ${strangers} not published here: ${complete ? 'each seen once' : 'FAILED'}`,
  );
  console.log(`bar: p50 < ${BARS.p50} ms and p99 < ${BARS.p99} ms: ${fast ? 'ok' : 'MISSED'}`);
  if (!fast || !complete) process.exitCode = 1;
}

/** The readings before the first of the plan say that the subscription has begun. */
function subscribe(
  url: string,
  selection: Selection,
  plan: ReadingPlan,
  arrivals: Arrivals,
): { begun: AbortSignal; stop(): Promise<void> } {
  const begun = new AbortController();
  const events = createClient({ url }).subscribe(selection, () => ({}));
  const reading = (async () => {
    for await (const { meterReadingAdded: event } of events) {
      const at = performance.now();
      if (Date.parse(event.timestamp) < plan.firstAt) begun.abort();
      else arrivals.see(positionOf(event.value), at);
    }
  })().catch((error: unknown) => console.error(`the subscription ended: ${messageOf(error)}`));
  const stop = async () => {
    await events.return?.();
    await reading;
  };
  own(stop);
  return { begun: begun.signal, stop };
}

/** Publishes readings that are older than the plan until one of them is seen. */
async function probe(broker: Broker, plan: ReadingPlan, begun: AbortSignal): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (let count = 1; !begun.aborted; count++) {
    if (performance.now() > deadline) throw new Error(`no reading was seen within ${DEADLINE_MS / 1000} s`);
    const older = new ReadingPlan(1, 1, plan.firstAt - count * 1000, plan.stepMs);
    await broker.publish('readings.new', older.message(0));
    await pause(PROBE_EVERY_MS, begun);
  }
}

/** Prints the percentiles, and returns p50, p95, p99 and the longest. */
function report(what: string, tookMs: Float64Array): number[] {
  const figures = percentiles(tookMs, [0.5, 0.95, 0.99, 1]);
  const [p50, p95, p99, max] = figures.map((ms) => ms.toFixed(1));
  console.log(`${what.padEnd(22)} p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms, max ${max} ms`);
  return figures;
}
