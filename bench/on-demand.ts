import { cpus, loadavg } from 'node:os';
import pg from 'pg';
import { createKeyPair } from '../src/credentials.js';
import { ensurePartition } from '../src/db/partitions.js';
import { DEFAULT_ORGANIZATION_ID } from '../src/domain/organization.js';
import { messageOf } from '../src/errors.js';
import { createClient, type GraphqlClient } from '../src/graphql/client.js';
import {
  InvokeTaskDocument,
  MeterReadingAddedDocument,
  type MeterReadingFilter,
} from '../src/graphql/generated/graphql.js';
import { pause } from '../src/retry.js';
import { startAmr, type AmrProcess } from '../src/scratch/amr-process.js';
import { wholeOption } from './options.js';
import { own } from '../src/scratch/owned.js';
import { createScratch } from '../src/scratch/scratch.js';
import { startSimulatedMeters, type SimulatedMeter } from './simulated-meters.js';

/** 95 of 100 readings are at the subscriber by then, whatever the schedule asks of the pollers. */
const P95_BAR_MS = 1_000;
/** Meters that somebody asks; no task reads them, so their interfaces are idle. */
const ASKED_METERS = 100;
const INVOKE_EVERY_MS = 100;
const FEED_EVERY_MS = 250;
/** A reading that takes longer counts as missing; its meter is invoked again a little later. */
const LOST_MS = 9_000;
const WARM_UP = 20;

/**
 * From the mutation `invokeTask` over HTTP to the reading at a subscriber of `meterReadingAdded`, with server, scheduler,
 * ingester and two pollers as separate processes and meters that answer at once: with no scheduled load, and with a
 * scheduled run due on every one of thousands of meters at any time, so that the pollers' scheduled queue never empties.
 */
export async function run(options: Map<string, string>): Promise<void> {
  const invocations = wholeOption(options, 'invocations', 300, 10, 100_000);
  const scheduled = wholeOption(options, 'meters', 3_000, 100, 8_000);
  const profile = options.get('profile');
  const fleet = await startSimulatedMeters(scheduled + ASKED_METERS);
  console.log(
    `settings: ${cpus().length} cores, Node ${process.version}, ${invocations} invocations, one each ${INVOKE_EVERY_MS} ms on ${ASKED_METERS} meters; ` +
      `${scheduled} other meters with a scheduled run due at any time; load average before ${loadavg()[0]!.toFixed(1)}`,
  );
  const scratch = await createScratch('bench');
  const pool = new pg.Pool({ connectionString: scratch.databaseUrl, max: 4 });
  own(() => pool.end());
  const asked = await prepare(pool, fleet.meters);
  const env = {
    DATABASE_URL: scratch.databaseUrl,
    AMQP_URL: scratch.amqpUrl,
    AMR_QUEUE_PREFIX: scratch.queuePrefix,
    AMR_HTTP_PORT: '0',
    AMR_CREDENTIALS_PUBLIC_KEY: createKeyPair().publicKey,
  };
  const start = (...args: string[]) => startAmr(args, { env, profile });
  const [server, scheduler, ingester, poller, awaited] = await Promise.all([
    start('server'),
    start('scheduler'),
    start('ingester'),
    start('poller', '--queue', 'amr.scheduled'),
    start('poller', '--queue', 'amr.on_demand', '--sessions', '20'),
  ]);
  const processes = {
    server,
    scheduler,
    ingester,
    poller,
    'poller on demand': awaited,
    simulator: fleet.processes[0]!,
  };
  const url = `${/^server (\S+)/.exec(server.ready)![1]!}/graphql`;
  const subscriber = await subscribe(createClient({ url }));
  const api = createClient({ url });

  await invokeAll(api, subscriber, pool, asked, WARM_UP);
  report('no load', await invokeAll(api, subscriber, pool, asked, invocations));

  const feeding = new AbortController();
  const fed = feed(pool, feeding.signal);
  await untilSaturated(pool);
  const spent = await cpuSeconds(processes);
  const before = { sessions: await carriedBy(poller), at: performance.now() };
  const due: number[] = [];
  const counting = setInterval(
    () =>
      void dueRuns(pool).then(
        ({ due: runs }) => due.push(runs),
        () => undefined,
      ),
    1_000,
  );
  const loaded = await invokeAll(api, subscriber, pool, asked, invocations);
  clearInterval(counting);
  const seconds = (performance.now() - before.at) / 1000;
  const rate = ((await carriedBy(poller)) - before.sessions) / seconds;
  const cores = (await cpuSeconds(processes)).map((total, index) => (total - spent[index]!) / seconds);
  const waiting = await dueRuns(pool);
  const unbooked = await scratch.depth('amr.results');
  const p95 = report('scheduled load', loaded);
  feeding.abort();
  await fed;
  console.log(
    `load: ${Math.round(rate)} scheduled sessions/s, at least ${Math.min(...due, waiting.due).toLocaleString('en')} runs due at any time, ` +
      `${waiting.dispatched} sessions not begun and ${unbooked} results not booked at the end; load average after ${loadavg()[0]!.toFixed(1)}`,
  );
  console.log(
    `cores in use meanwhile: ${Object.keys(processes)
      .map((name, index) => `${name} ${cores[index]!.toFixed(2)}`)
      .join(', ')}; the rest is broker, database and others`,
  );
  const fast = p95 < P95_BAR_MS;
  console.log(`bar: p95 below ${P95_BAR_MS} ms under scheduled load: ${fast ? 'ok' : 'MISSED'}`);
  if (!fast) process.exitCode = 1;
  await subscriber.stop();
}

async function carriedBy(poller: AmrProcess): Promise<number> {
  return (await poller.metrics())('amr_messages_consumed_total{queue="amr.scheduled",disposition="ack"}');
}

async function cpuSeconds(processes: Record<string, AmrProcess>): Promise<number[]> {
  const all = await Promise.all(Object.values(processes).map((amr) => amr.metrics()));
  return all.map((of) => of('process_cpu_seconds_total'));
}

/** Registers the meters; answers the ids of those that are asked on demand. */
async function prepare(pool: pg.Pool, meters: readonly SimulatedMeter[]): Promise<string[]> {
  await pool.query(
    `with meter as (
       select n, port, serial_number, gen_random_uuid() as interface_id,
         case when n <= $4 then 'asked ' else 'scheduled ' end || n as name
       from unnest($2::int[], $3::text[]) with ordinality m (port, serial_number, n)
     ), interface as (
       insert into network_interface (id, organization_id, name, kind, host, port)
       select interface_id, $1, name, 'tcp', '127.0.0.1', port from meter
     )
     insert into meter_device (id, organization_id, name, serial_number, model, life_cycle, network_interface_id)
     select gen_random_uuid(), $1, name, serial_number, 'EK280', 'active', interface_id from meter`,
    [DEFAULT_ORGANIZATION_ID, meters.map(({ port }) => port), meters.map((meter) => meter.serialNumber), ASKED_METERS],
  );
  const connection = await pool.connect();
  await ensurePartition(connection, 'task_run', new Date());
  connection.release();
  await pool.query('analyze');
  const { rows } = await pool.query<{ id: string }>(`select id from meter_device where name like 'asked %'`);
  return rows.map(({ id }) => id);
}

/** Gives every scheduled meter without a pending run another one, as due slots do, again and again. */
async function feed(pool: pg.Pool, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pool.query(
      `insert into task_run (id, scheduled_for, organization_id, origin, state, meter_device_id, meter_execution_type,
         task_call, task_kwargs, not_before, deadline)
       select uuid_v7_at(t.now), t.now, m.organization_id, 'scheduled', 'pending', m.id, 'generic_lis200',
         'read_archive_by_offset_seconds', '{"offset_seconds": 14400}', t.now, t.now + interval '1 hour'
       from (select date_trunc('milliseconds', now()) as now) t, meter_device m
       where m.name like 'scheduled %'
         and not exists (select from task_run r where r.meter_device_id = m.id and r.state = 'pending')`,
    );
    await pool.query(`select pg_notify('amr_dispatch', '')`);
    await pause(FEED_EVERY_MS, signal);
  }
}

async function dueRuns(pool: pg.Pool): Promise<{ due: number; dispatched: number }> {
  const { rows } = await pool.query<{ due: number; dispatched: number }>(
    `select (select count(*) from task_run where state = 'pending' and origin = 'scheduled')::int as due,
       (select count(*) from poll_session where state = 'dispatched' and closed_at is null)::int as dispatched`,
  );
  return rows[0]!;
}

/** Until the first sessions have been closed and their meters have their next run: the load is steady then. */
async function untilSaturated(pool: pg.Pool): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { rows } = await pool.query<{ n: number }>(
      `select count(*)::int as n from poll_session where queue = 'amr.scheduled' and closed_at is not null`,
    );
    if (rows[0]!.n >= 2_000) return;
    if (Date.now() > deadline) throw new Error(`only ${rows[0]!.n} scheduled sessions were over within a minute`);
    await pause(250);
  }
}

/** What one invocation took, in milliseconds from the request: the answer, each stage, and the reading at the subscriber. */
interface Latency {
  answered: number;
  claimed: number;
  read: number;
  storing: number;
  total: number;
}

interface Arrival {
  at: number;
  readAt: number;
  storingAt: number;
}

interface Subscriber {
  /** The next on-demand reading of a meter; undefined when it is missing. */
  next(meterId: string): Promise<Arrival | undefined>;
  stop(): Promise<void>;
}

async function subscribe(client: GraphqlClient): Promise<Subscriber> {
  const waiting = new Map<string, (arrival: Arrival) => void>();
  const filter: MeterReadingFilter = { origins: ['ON_DEMAND'] };
  const events = client.subscribe(MeterReadingAddedDocument, () => ({ filter }));
  const reading = (async () => {
    for await (const { meterReadingAdded: event } of events) {
      waiting.get(event.meterDevice.id)?.({
        at: Date.now(),
        readAt: Date.parse(event.timestamp),
        storingAt: Date.parse(event.receivedAt),
      });
    }
  })().catch((error: unknown) => console.error(`the subscription ended: ${messageOf(error)}`));
  own(async () => void (await events.return?.()));
  return {
    next: (meterId) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve(undefined), LOST_MS);
        waiting.set(meterId, (arrival) => {
          clearTimeout(timer);
          waiting.delete(meterId);
          resolve(arrival);
        });
      }),
    stop: async () => {
      await events.return?.();
      await reading;
    },
  };
}

/** Invokes at a steady pace, whether or not readings come: a system that is late gets no rest. */
async function invokeAll(
  api: GraphqlClient,
  subscriber: Subscriber,
  pool: pg.Pool,
  meters: readonly string[],
  count: number,
): Promise<Latency[]> {
  const started = performance.now();
  const running: Promise<Latency>[] = [];
  for (let n = 0; n < count; n++) {
    running.push(invoke(api, subscriber, pool, meters[n % meters.length]!));
    await pause(Math.max(0, started + (n + 1) * INVOKE_EVERY_MS - performance.now()));
  }
  return Promise.all(running);
}

async function invoke(
  api: GraphqlClient,
  subscriber: Subscriber,
  pool: pg.Pool,
  meterDevice: string,
): Promise<Latency> {
  const askedAt = Date.now();
  const arriving = subscriber.next(meterDevice);
  const input = {
    meterDevice,
    meterExecutionType: 'generic_lis200',
    taskCall: 'read_single_value',
    taskKwargs: { address: '2:302.0' },
  };
  const [answer, arrival] = await Promise.all([
    api.request(InvokeTaskDocument, { input }).then(({ invokeTask }) => ({ at: Date.now(), run: invokeTask.taskRun })),
    arriving,
  ]);
  const { rows } = await pool.query<{ created_at: Date }>(
    `select s.created_at from task_run r join poll_session s on s.id = r.poll_session_id where r.id = $1`,
    [answer.run.id],
  );
  return {
    answered: answer.at - askedAt,
    claimed: (rows[0]?.created_at.getTime() ?? NaN) - askedAt,
    read: (arrival?.readAt ?? NaN) - askedAt,
    storing: (arrival?.storingAt ?? NaN) - askedAt,
    total: arrival ? arrival.at - askedAt : Infinity,
  };
}

/** Prints the percentiles of the whole and of its stages; returns the p95 of the whole. */
function report(what: string, latencies: readonly Latency[]): number {
  const percentiles = (of: (latency: Latency) => number) => {
    // A stage that was not reached is later than any other.
    const sorted = latencies.map((latency) => of(latency)).map((ms) => (Number.isNaN(ms) ? Infinity : ms));
    sorted.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    return [0.5, 0.95, 0.99].map((share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!);
  };
  const line = (name: string, of: (latency: Latency) => number) => {
    const [p50, p95, p99] = percentiles(of);
    console.log(`${what}: ${name.padEnd(34)} p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms`);
    return p95!;
  };
  const p95 = line('mutation to reading at subscriber', ({ total }) => total);
  line('  mutation answered', ({ answered }) => answered);
  line('  until claimed by the dispatcher', ({ claimed }) => claimed);
  line('  from there until read', ({ read, claimed }) => read - claimed);
  line('  until its batch is being stored', ({ storing, read }) => storing - read);
  line('  until it is at the subscriber', ({ total, storing }) => total - storing);
  const missing = latencies.filter(({ total }) => total === Infinity).length;
  if (missing > 0)
    console.log(`${what}: ${missing} of ${latencies.length} readings did not come within ${LOST_MS / 1000} s`);
  return p95;
}
