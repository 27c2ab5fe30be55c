import pg from 'pg';
import { pino } from 'pino';
import { createKeyPair } from '../src/credentials.js';
import { DEFAULT_ORGANIZATION_ID } from '../src/domain/organization.js';
import { connectBroker } from '../src/messaging/connect-broker.js';
import type { Broker } from '../src/messaging/broker.js';
import { pause } from '../src/retry.js';
import { startAmr, type AmrProcess } from '../src/scratch/amr-process.js';
import { own } from '../src/scratch/owned.js';
import { createScratch } from '../src/scratch/scratch.js';
import { FanoutClient, PER_SOCKET } from './fanout-client.js';
import { fmt, machine } from './machine.js';
import { wholeOption } from './options.js';
import { atPace } from './pace.js';
import { percentiles } from './percentiles.js';
import { residentMemory } from './process-usage.js';
import { rawBroadcast } from './raw-broadcast.js';
import { FIRST_AT, positionOf, QUARTER_HOUR_MS, ReadingPlan } from './reading-plan.js';
import { storeMeters } from './stored-meters.js';

const BARS = { p99Ms: 1_000, ofRaw: 0.6, idleKb: 45, stalledMs: 250 };
const WARM_UP_SECONDS = 3;
const DEADLINE_MS = 60_000;
/** Readings in a batch of the overlapping part. */
const BATCH = 200;
const QUERY = `subscription ($filter: MeterReadingFilter) {
  meterReadingAdded(filter: $filter) { cursor meterDevice { id name } series unit timestamp value quality }
}`;

/**
 * Many subscribers over WebSocket: with a meter each, beside one that never reads; then all asking for the same, beside a raw broadcast
 * of the same bytes. Server, ingester and raw server are processes of their own, the subscribers share this one.
 */
export async function run(options: Map<string, string>): Promise<void> {
  const subscribers = wholeOption(options, 'subscribers', 5_000, 1, 50_000);
  const rate = wholeOption(options, 'rate', 1_000, 10, 20_000);
  const seconds = wholeOption(options, 'seconds', 30, 3, 900);
  const minutes = wholeOption(options, 'minutes', 0, 0, 1_440);
  const overlapping = wholeOption(options, 'overlapping', 500, 1, 5_000);
  const events = wholeOption(options, 'events', 4_000, BATCH, 100_000);
  console.log(
    `settings: ${machine()}, ${fmt(subscribers)} subscribers with a meter each on ${Math.ceil(subscribers / PER_SOCKET)} sockets of one client process, ` +
      `${fmt(rate)} readings/s for ${seconds} s${minutes ? ` and ${minutes} min` : ''}; ${fmt(events)} readings to ${fmt(overlapping)} subscribers of everything`,
  );
  const scratch = await createScratch('bench');
  const database = new pg.Client({ connectionString: scratch.databaseUrl });
  await database.connect();
  own(() => database.end());
  const plan = new ReadingPlan(subscribers, 1, FIRST_AT, QUARTER_HOUR_MS);
  const stretch = rate * (seconds + WARM_UP_SECONDS);
  await storeMeters(database, plan, stretch * 2 + rate * minutes * 60);
  const { rows: meters } = await database.query<{ id: string }>(
    `select id from meter_device order by split_part(name, '-', 2)::int`,
  );

  const env = {
    DATABASE_URL: scratch.databaseUrl,
    AMQP_URL: scratch.amqpUrl,
    AMR_QUEUE_PREFIX: scratch.queuePrefix,
    AMR_HTTP_PORT: '0',
    AMR_CREDENTIALS_PUBLIC_KEY: createKeyPair().publicKey,
  };
  const profile = options.get('profile');
  const [server] = await Promise.all([
    startAmr(['server'], { env, profile }),
    startAmr(['ingester'], { env, profile }),
  ]);
  const broker = await connectBroker(scratch, pino({ level: 'silent' }));
  own(() => broker.close());
  const url = `${/^server http(\S+)/.exec(server.ready)![1]!.replace(/^/, 'ws')}/graphql`;
  let passed = true;
  const bar = (what: string, ok: boolean) => {
    console.log(`bar: ${what}: ${ok ? 'ok' : 'MISSED'}`);
    passed &&= ok;
  };

  const stream = new PublishedStream(plan, broker);
  const warm = await FanoutClient.open(url, QUERY, [{ filter: { meterDevices: [meters[0]!.id] } }], () => undefined);
  await subscribed(server, 1);
  await warm.close();
  await subscribed(server, 0);
  const before = (await residentMemory(server.pid)).nowMb;
  const startedAt = performance.now();
  const crowd = await FanoutClient.open(
    url,
    QUERY,
    meters.map(({ id }) => ({ filter: { meterDevices: [id] } })),
    (data) => stream.see(data),
  );
  await subscribed(server, subscribers);
  console.log(`subscribed in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  await pause(2_000);
  const idleKb = (((await residentMemory(server.pid)).nowMb - before) * 1000) / subscribers;
  bar(`${idleKb.toFixed(1)} kB for an idle subscriber, below ${BARS.idleKb} kB`, idleKb < BARS.idleKb);

  const alone = await stream.publish(rate, seconds, 'distinct filters');
  bar(`p99 < ${BARS.p99Ms} ms, each seen once`, alone.p99 < BARS.p99Ms && alone.complete);
  const stalled = await FanoutClient.open(
    url,
    QUERY,
    Array.from({ length: PER_SOCKET }, () => ({})),
    () => undefined,
  );
  await subscribed(server, subscribers + PER_SOCKET);
  stalled.stall();
  const beside = await stream.publish(rate, seconds, 'beside a silent one');
  bar(
    `${PER_SOCKET} subscribers of all on a socket that is never read add less than ${BARS.stalledMs} ms to the p99`,
    beside.complete && beside.p99 < alone.p99 + BARS.stalledMs,
  );
  await stalled.close();
  let last = (await residentMemory(server.pid)).nowMb;
  for (let minute = 1; minute <= minutes; minute++) {
    const { complete } = await stream.publish(rate, 60, `minute ${minute}`);
    const { nowMb } = await residentMemory(server.pid);
    console.log(`minute ${minute}: server ${nowMb.toFixed(1)} MB, ${(nowMb - last).toFixed(1)} MB more than before`);
    last = nowMb;
    passed &&= complete;
  }
  await crowd.close();
  await subscribed(server, 0);

  const ours = await broadcastByApi(url, server, database, meters, overlapping, events);
  const sockets = Math.ceil(overlapping / PER_SOCKET);
  const perSocket = Math.round(overlapping / sockets);
  const raw = await rawBroadcast({ sockets, perSocket, events, message: ours.message });
  console.log(
    `overlapping filters: ${fmt(ours.perSecond)} deliveries/s of ${ours.message.length} bytes; raw ws broadcast ${fmt(raw)}/s`,
  );
  bar(
    `${(ours.perSecond / raw).toFixed(2)} of the raw broadcast, at least ${BARS.ofRaw}`,
    ours.perSecond / raw >= BARS.ofRaw,
  );
  if (!passed) process.exitCode = 1;
}

/** The plan's readings one after another, and when each was seen. */
class PublishedStream {
  private next = 0;
  private publishedAt = new Map<number, number>();
  private took: number[] = [];
  private seen = () => undefined as void;
  private strangers = 0;

  constructor(
    private readonly plan: ReadingPlan,
    private readonly broker: Broker,
  ) {}

  see(data: Buffer): void {
    const value = /"value":"([\d.]+)"/.exec(data.toString('latin1'))?.[1];
    const position = value === undefined ? NaN : positionOf(value);
    const at = this.publishedAt.get(position);
    if (at === undefined) {
      this.strangers++;
      return;
    }
    this.publishedAt.delete(position);
    this.took.push(performance.now() - at);
    if (this.publishedAt.size === 0) this.seen();
  }

  async publish(rate: number, seconds: number, what: string): Promise<{ p99: number; complete: boolean }> {
    const warmUp = rate * WARM_UP_SECONDS;
    const count = warmUp + rate * seconds;
    const first = this.next;
    this.next += count;
    this.took = [];
    this.strangers = 0;
    const unconfirmed: Promise<void>[] = [];
    const behindMs = await atPace(rate, count, (index) => {
      if (index === warmUp) this.took = [];
      this.publishedAt.set(first + index, performance.now());
      unconfirmed.push(this.broker.publish('readings.new', this.plan.message(first + index)));
    });
    await Promise.all(unconfirmed);
    const all = new Promise<void>((resolve) => (this.seen = resolve));
    if (this.publishedAt.size > 0) await Promise.race([all, pause(DEADLINE_MS)]);
    const missing = this.publishedAt.size;
    this.publishedAt.clear();
    const [p50, p99, max] = percentiles(this.took, [0.5, 0.99, 1]);
    console.log(
      `${what.padEnd(20)} p50 ${p50!.toFixed(1)} ms, p99 ${p99!.toFixed(1)} ms, max ${max!.toFixed(1)} ms; at most ${behindMs.toFixed(0)} ms behind the pace; ${missing} missing, ${this.strangers} repeated`,
    );
    return { p99: p99!, complete: missing === 0 && this.strangers === 0 };
  }
}

/** Deliveries per second of batches that are committed all at once. */
async function broadcastByApi(
  url: string,
  server: AmrProcess,
  database: pg.Client,
  meters: readonly { id: string }[],
  subscribers: number,
  events: number,
): Promise<{ perSecond: number; message: string }> {
  const total = subscribers * events;
  let seen = 0;
  let firstAt = 0;
  let message = '';
  let done = () => undefined as void;
  const all = new Promise<void>((resolve) => (done = resolve));
  const client = await FanoutClient.open(
    url,
    QUERY,
    Array.from({ length: subscribers }, () => ({})),
    (data) => {
      if (seen === 0) {
        firstAt = performance.now();
        message = data.toString();
      }
      if (++seen === total) done();
    },
  );
  await subscribed(server, subscribers);
  const columns = (batch: number) =>
    Array.from({ length: BATCH }, (_, index) => ({
      register: index + 1,
      meter: meters[index % meters.length]!.id,
      series: '1.8.0',
      unit: 'kWh',
      origin: 'push',
      t: [FIRST_AT + batch * QUARTER_HOUR_MS],
      v: [`${batch * BATCH + index}.5`],
      q: [0],
    }));
  const bodies = Array.from({ length: Math.ceil(events / BATCH) }, (_, batch) =>
    JSON.stringify({ received_at: FIRST_AT, columns: columns(batch).slice(0, events - batch * BATCH) }),
  );
  await database.query(
    `with logged as (insert into reading_log (organization_id, reading_count, body) select $1, ${BATCH}, body from unnest($2::text[]) body returning 1)
     select pg_notify('amr_relay', '') from logged limit 1`,
    [DEFAULT_ORGANIZATION_ID, bodies],
  );
  await Promise.race([all, pause(DEADLINE_MS)]);
  const seconds = (performance.now() - firstAt) / 1000;
  await client.close();
  if (seen !== total) throw new Error(`${seen} of ${total} deliveries came`);
  return { perSecond: total / seconds, message };
}

async function subscribed(server: AmrProcess, count: number): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const open = (await server.metrics())('amr_subscribers{subscription="meterReadingAdded"}');
    if (open === count) return;
    if (performance.now() > deadline) throw new Error(`${open} of ${count} subscriptions are open`);
    await pause(50);
  }
}
