import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createClient, type GraphqlClient } from '../../src/graphql/client.js';
import { InvokeTaskDocument } from '../../src/graphql/generated/graphql.js';
import { createKeyPair } from '../../src/credentials.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import type { Broker } from '../../src/messaging/broker.js';
import { connectBroker } from '../../src/messaging/connect-broker.js';
import { encode } from '../../src/messaging/contracts.js';
import { newMessageId } from '../../src/messaging/message-id.js';
import { pause } from '../../src/retry.js';
import { startFleet, type Fleet } from '../../src/simulators/fleet.js';
import { silentLog, testBrokers, type TestBrokers } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { LiveReadings } from '../support/live-readings.js';
import { startAmr, type AmrProcess } from '../support/processes.js';
import { insertGroup, insertInterface, insertMeter, insertTask } from '../support/rows.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { describeRuns, until } from '../support/until.js';

const OUTAGE_MS = Number(process.env['OUTAGE_SECONDS'] ?? 5) * 1000;
const METERS = 24;
const HOUR_MS = 3_600_000;
/** Each outage happens to reads of other rows of the archives, so that all of them have something to store. */
const HOURS_PER_OUTAGE = 60;
const TASKS_PER_OUTAGE = 4;
const HOURS_PER_TASK = 10;
const PUSH_EVERY_MS = 25;
const MAX_UNCONFIRMED = 500;
/** Two heartbeats without an answer, and the time to say so. */
const SILENT_BROKER_NOTICED_MS = 30_000;
/** Leases of lost sessions end within 25 s; some runs are lost a second time. */
const RECOVERY_MS = 120_000;

type Part = 'broker' | 'database';
const OUTAGES: { name: string; away: Part[]; how: 'block' | 'hang' }[] = [
  { name: 'the broker is away', away: ['broker'], how: 'block' },
  { name: 'the database is away', away: ['database'], how: 'block' },
  { name: 'both are away', away: ['broker', 'database'], how: 'block' },
  { name: 'both are silent', away: ['broker', 'database'], how: 'hang' },
];

const amqpUrl = inject('amqpUrl');

describe.skipIf(!amqpUrl)('outages of broker and database (needs RabbitMQ)', () => {
  const processes = new Map<string, AmrProcess>();
  const healthUrls = new Map<string, string>();
  const proxies: Partial<Record<Part | 'api', TcpProxy>> = {};
  const meterIds: string[] = [];
  /** `meter series time` → value of all that was published in the name of a meter that pushes. */
  const pushed = new Map<string, string>();
  /** Outages so far, by index: one may be picked by its title. */
  const suffered: number[] = [];
  let installedAt: number;
  let database: TestDatabase;
  let brokers: TestBrokers;
  let publisher: Broker;
  let fleet: Fleet;
  let client: GraphqlClient;
  let live: LiveReadings;

  beforeAll(async () => {
    installedAt = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - (OUTAGES.length + 1) * HOURS_PER_OUTAGE * HOUR_MS;
    database = await createTestDatabase();
    brokers = testBrokers(amqpUrl!);
    // Answers take their time, so that the work lasts into the outage.
    fleet = await startFleet({ meters: METERS, installedAt, answerDelayMs: 10 });
    const proxied = async (part: Part, url: string, standardPort: number): Promise<string> => {
      const parsed = new URL(url);
      const proxy = await startTcpProxy(parsed.hostname, Number(parsed.port || standardPort));
      proxies[part] = proxy;
      return Object.assign(parsed, { hostname: '127.0.0.1', port: String(proxy.port) }).href;
    };
    const keys = createKeyPair();
    const env = {
      DATABASE_URL: await proxied('database', database.url, 5432),
      AMQP_URL: await proxied('broker', amqpUrl!, 5672),
      AMR_QUEUE_PREFIX: brokers.config.queuePrefix,
      AMR_HTTP_PORT: '0',
      AMR_HEALTH_PORT: '0',
      AMR_CREDENTIALS_PUBLIC_KEY: keys.publicKey,
      AMR_CREDENTIALS_PRIVATE_KEY: keys.privateKey,
      // Short leases: a lost session is sent again after these and a margin.
      AMR_START_BY_SECONDS: '5',
      AMR_SESSION_CAP_SECONDS: '5',
      AMR_REPLY_TIMEOUT_SECONDS: '2',
    };
    for (const name of ['server', 'scheduler', 'ingester 1', 'ingester 2']) {
      processes.set(name, startAmr([name.split(' ')[0]!], env));
    }
    for (const name of ['poller 1', 'poller 2']) processes.set(name, startAmr(['poller', '--sessions', '2'], env));
    for (const [name, amr] of processes) {
      const [, url] = await amr.says(name === 'server' ? /^ready: server (\S+)/m : /^health: (\S+)/m);
      await amr.says(/^ready:/m);
      healthUrls.set(name, `${url}/health/ready`);
    }
    const server = new URL(healthUrls.get('server')!);
    proxies.api = await startTcpProxy(server.hostname, Number(server.port));
    client = createClient({ url: `${server.origin}/graphql` });
    live = new LiveReadings(createClient({ url: `http://127.0.0.1:${proxies.api.port}/graphql` }));
    publisher = await connectBroker({ ...brokers.config, amqpUrl: env.AMQP_URL }, silentLog);

    const { pool } = database.database;
    for (const { name, serialNumber, host, port } of fleet.meters) {
      const network_interface_id = await insertInterface(pool, name, { host, port });
      meterIds.push(await insertMeter(pool, name, { serial_number: serialNumber, network_interface_id }));
    }
    await insertMeter(pool, 'PUSH', { network_interface_id: null });
    await until(
      pool,
      'the subscription is live',
      async () => /^amr_subscribers\S* [1-9]/m.test(await (await fetch(`${server.origin}/metrics`)).text()),
      10_000,
    );
    console.log(
      `outages of ${OUTAGE_MS / 1000} s; ${METERS} meters, ${TASKS_PER_OUTAGE} tasks and ${METERS} invocations for each`,
    );
  }, 120_000);

  afterAll(async () => {
    await live?.stop();
    for (const proxy of Object.values(proxies)) proxy.restore();
    await publisher?.close();
    await Promise.all([...processes.values()].map((amr) => amr.kill()));
    await Promise.all(Object.values(proxies).map((proxy) => proxy.close()));
    await fleet?.stop();
    await brokers?.dispose();
    await database?.drop();
  });

  it.for(OUTAGES.map((outage, index) => ({ ...outage, index })))(
    'loses and doubles nothing while $name, and goes on by itself',
    { timeout: 4 * RECOVERY_MS + 3 * OUTAGE_MS },
    async ({ away, how, index, name }, { onTestFailed }) => {
      const { pool } = database.database;
      onTestFailed(async () => console.log(`${name}; runs:${await describeRuns(pool)}`));
      suffered.push(index);
      const before = await ended();
      const disconnectsBefore = live.disconnects;
      const tasks = await createTasks(index);
      const working = new AbortController();
      const pushing = push(index, working.signal);
      await activate(tasks.slice(0, TASKS_PER_OUTAGE / 2));
      const invoking = invoke(index, OUTAGE_MS / METERS);
      await until(pool, 'runs have ended', async () => (await ended()) >= before + METERS / 4, 30_000);

      const cutOffAt = performance.now();
      for (const part of away) proxies[part]![how]();
      const openAtOutage = await open();
      expect(openAtOutage).toBeGreaterThan(0);
      await activate(tasks.slice(TASKS_PER_OUTAGE / 2));
      const noticed = away.filter(
        (part) => how === 'block' || part === 'database' || OUTAGE_MS > SILENT_BROKER_NOTICED_MS,
      );
      await until(
        pool,
        `each process says that it is without ${noticed.join(' and ')}`,
        () => allSay(noticed),
        SILENT_BROKER_NOTICED_MS,
      );
      // Its subscriber is cut off too, and has to resume while the server is without what is away.
      proxies.api!.cut();
      await pause(OUTAGE_MS - (performance.now() - cutOffAt));
      for (const part of away) proxies[part]!.restore();
      const restoredAt = performance.now();

      await until(pool, 'each process is ready again', () => allSay([]), RECOVERY_MS);
      const readyAfterMs = performance.now() - restoredAt;
      const repeatedInvocations = await invoking;
      working.abort();
      const repeatedPushes = await pushing;
      await until(
        pool,
        'all slots are made and every run has ended',
        async () => (await open()) === 0 && (await slotsMade(tasks)) === tasks.length,
        RECOVERY_MS,
      );
      const expected = new Map([...truth(), ...pushed]);
      await until(
        pool,
        'what is confirmed is stored',
        async () => (await count('meter_reading')) >= expected.size,
        20_000,
      );
      await until(
        pool,
        'every batch is relayed',
        async () => (await count('reading_log where position is null')) === 0,
        10_000,
      );
      const recoveredAfterMs = performance.now() - restoredAt;

      // Nothing is wrong with the meters: whatever failed on the way was tried again.
      const { rows: unsuccessful } = await pool.query(
        `select state, error_code, error_message, attempts from task_run where state <> 'succeeded'`,
      );
      expect(unsuccessful).toEqual([]);
      const mostTries = await number('select max(attempts) as n from task_run');
      expect(await count('task_run')).toBeGreaterThanOrEqual(suffered.length * METERS * (TASKS_PER_OUTAGE + 1));
      expect(await count(`task_run where origin = 'on_demand'`)).toBe(suffered.length * METERS);
      const stored = await storedValues();
      expect(differences(expected, stored)).toEqual([]);
      expect(await count('meter_reading')).toBe(expected.size);
      expect(await count('meter_reading_revision')).toBe(0);
      expect(await count('staged_reading')).toBe(0);
      expect(await count(`dead_letter where queue = 'readings.new'`)).toBe(0);
      expect(fleet.counters.overlaps).toBe(0);

      // Each was logged once, in positions without a hole, and so it came to the subscriber.
      const { rows: log } = await pool.query<{ n: number; positions: number; last: number }>(
        'select sum(reading_count)::int as n, count(*)::int as positions, max(position)::int as last from reading_log',
      );
      expect(log[0]).toEqual({ n: stored.size, positions: log[0]!.last, last: log[0]!.last });
      await until(pool, 'the subscriber has all', () => live.values.size >= stored.size, 30_000);
      expect(differences(stored, live.values)).toEqual([]);
      expect(live.repeats).toEqual([]);
      expect(live.disconnects).toBeGreaterThan(disconnectsBefore);

      expect([...processes].filter(([, amr]) => !amr.running).map(([process]) => process)).toEqual([]);
      console.log(
        `${name}: ${openAtOutage} runs open at its begin, up to ${mostTries} tries; ready ${seconds(readyAfterMs)} and all ended ` +
          `${seconds(recoveredAfterMs)} after its end; ${stored.size} readings stored so far, ${repeatedInvocations} invocations ` +
          `and ${repeatedPushes} publishes repeated, ${live.disconnects - disconnectsBefore} disconnects of the subscriber`,
      );
    },
  );

  /** The archive rows of one outage: an hour each, from one after the other. */
  function hoursFrom(outage: number, offset: number, hours: number) {
    const from = installedAt + (outage * HOURS_PER_OUTAGE + offset) * HOUR_MS;
    return {
      archive_number: 3,
      control_position: 3,
      start_date: new Date(from + HOUR_MS).toISOString(),
      end_date: new Date(from + hours * HOUR_MS).toISOString(),
    };
  }

  /** Tasks on all meters that have missed the slot of today, once they are activated. */
  async function createTasks(outage: number): Promise<string[]> {
    const { pool } = database.database;
    const tasks: string[] = [];
    for (let task = 0; task < TASKS_PER_OUTAGE; task++) {
      tasks.push(
        await insertTask(pool, `outage ${outage + 1}, task ${task + 1}`, {
          schedule: 'daily',
          catch_up: 'all',
          is_active: false,
          active_since: new Date(new Date().setUTCHours(0, 0, 0, 0)),
          deadline_seconds: 2 * 86_400,
          task_call: 'read_archive_by_date',
          task_kwargs: hoursFrom(outage, task * HOURS_PER_TASK, HOURS_PER_TASK),
        }),
      );
    }
    await insertGroup(pool, `outage ${outage + 1}`, tasks, meterIds);
    return tasks;
  }

  async function activate(tasks: readonly string[]): Promise<void> {
    await database.database.pool.query('update amr_task set is_active = true where id = any($1)', [tasks]);
  }

  /** Invokes a call on each meter, one each `everyMs`, as a client that asks again until it is answered. @returns how often it asked again */
  async function invoke(outage: number, everyMs: number): Promise<number> {
    const offset = TASKS_PER_OUTAGE * HOURS_PER_TASK;
    const taskKwargs = hoursFrom(outage, offset, HOURS_PER_OUTAGE - offset);
    let repeats = 0;
    const invokeOne = async (meterDevice: string) => {
      const deadline = performance.now() + OUTAGE_MS + RECOVERY_MS;
      const input = {
        meterDevice,
        meterExecutionType: 'generic_lis200',
        taskCall: 'read_archive_by_date',
        taskKwargs,
        idempotencyKey: `outage ${outage} ${meterDevice}`,
      };
      for (;;) {
        try {
          await client.request(InvokeTaskDocument, { input });
          return;
        } catch (error) {
          if (performance.now() > deadline) throw error;
          repeats++;
          await pause(250);
        }
      }
    };
    const invocations: Promise<void>[] = [];
    for (const meter of meterIds) {
      invocations.push(invokeOne(meter));
      await pause(everyMs);
    }
    await Promise.all(invocations);
    return repeats;
  }

  /** Publishes one reading after the other, each again until it is confirmed. @returns how often it had to publish again */
  async function push(outage: number, signal: AbortSignal): Promise<number> {
    let repeats = 0;
    const unconfirmed = new Set<Promise<void>>();
    const pushOne = async (body: Buffer) => {
      const deadline = performance.now() + OUTAGE_MS + RECOVERY_MS;
      for (;;) {
        try {
          return await publisher.publish('readings.new', body);
        } catch (error) {
          if (performance.now() > deadline) throw error;
          repeats++;
        }
      }
    };
    for (let number = 1; !signal.aborted; number++) {
      const timestamp = new Date(installedAt + outage * HOURS_PER_OUTAGE * HOUR_MS + number * 1000).toISOString();
      const value = String(number);
      pushed.set(`PUSH 1-0:1.8.0 ${timestamp}`, value);
      const message = {
        version: 1,
        message_id: newMessageId(),
        organization: DEFAULT_ORGANIZATION_ID,
        meter_device: 'PUSH',
        origin: 'push',
        collected_at: new Date().toISOString(),
        readings: [{ series: '1-0:1.8.0', timestamp, value, unit: 'kWh' }],
      };
      const pushing = pushOne(encode(message)).finally(() => unconfirmed.delete(pushing));
      unconfirmed.add(pushing);
      await (unconfirmed.size < MAX_UNCONFIRMED ? pause(PUSH_EVERY_MS, signal) : Promise.race(unconfirmed));
    }
    await Promise.all(unconfirmed);
    return repeats;
  }

  /** Whether /health/ready of each process names these parts, of those that it has, as away and the other one as there. */
  async function allSay(away: readonly Part[]): Promise<boolean> {
    const answers = await Promise.all(
      [...healthUrls.values()].map(async (url) => {
        const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
        return { status: response.status, ...((await response.json()) as { parts: Partial<Record<Part, string>> }) };
      }),
    );
    return answers.every(({ status, parts }) => {
      const missing = (['broker', 'database'] as const).filter((part) => (parts[part] ?? 'ok') !== 'ok');
      const expected = away.filter((part) => parts[part] !== undefined);
      return status === (expected.length > 0 ? 503 : 200) && missing.join() === expected.join();
    });
  }

  async function number(query: string): Promise<number> {
    return (await database.database.pool.query<{ n: number }>(query)).rows[0]!.n;
  }

  const count = (from: string) => number(`select count(*)::int as n from ${from}`);

  const ended = () => count('task_run where finished_at is not null');
  const open = () => count('task_run where finished_at is null');
  const slotsMade = async (tasks: readonly string[]) =>
    count(
      `(select distinct amr_task_id from task_slot where amr_task_id in (${tasks.map((id) => `'${id}'`).join()})) made`,
    );

  /** What the meters hold of all rows that were asked for. */
  function truth(): Map<string, string> {
    const cells = suffered.flatMap((outage) => {
      const from = installedAt + outage * HOURS_PER_OUTAGE * HOUR_MS;
      return [...fleet.truth(from + HOUR_MS, from + HOURS_PER_OUTAGE * HOUR_MS, 3)];
    });
    return new Map(cells.map(({ meter, series, timestamp, value }) => [`${meter} ${series} ${timestamp}`, value]));
  }

  async function storedValues(): Promise<Map<string, string>> {
    const { rows } = await database.database.pool.query<{ key: string; value: string }>(
      `select m.name || ' ' || s.name || ' ' || to_char(r.measured_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as key, r.value::text
       from meter_reading r join register g on g.id = r.register_id
       join meter_device m on m.id = g.meter_device_id join series s on s.id = g.series_id`,
    );
    return new Map(rows.map((row) => [row.key, row.value]));
  }
});

/** The first of those that one map has otherwise than the other. */
function differences(expected: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>): string[] {
  const missing = [...expected].filter(([key, value]) => found.get(key) !== value);
  const foreign = [...found].filter(([key]) => !expected.has(key));
  return [
    ...missing.map(([key, value]) => `${key}: ${value} expected, ${found.get(key) ?? 'nothing'} found`),
    ...foreign.map(([key, value]) => `${key}: ${value} found, nothing expected`),
  ].slice(0, 20);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
