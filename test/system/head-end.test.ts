import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createKeyPair } from '../../src/credentials.js';
import { createClient, type GraphqlClient } from '../../src/graphql/client.js';
import {
  CreateAmrTaskDocument,
  CreateAmrTaskGroupDocument,
  CreateMeterDeviceDocument,
  CreateNetworkInterfaceDocument,
  InvokeTaskDocument,
  MeterReadingAddedDocument,
} from '../../src/graphql/generated/graphql.js';
import { pause } from '../../src/retry.js';
import { testBrokers, type TestBrokers } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startAmr, type AmrProcess } from '../support/processes.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

const METERS = 50;
const HOUR = 3_600_000;
const amqpUrl = inject('amqpUrl');

/** `meter series time` → value. */
type Values = Map<string, string>;

describe.skipIf(!amqpUrl)('a head end of separate processes (needs RabbitMQ)', () => {
  const processes = new Map<string, AmrProcess>();
  const meters: { name: string; id: string }[] = [];
  let folder: string;
  let database: TestDatabase;
  let brokers: TestBrokers;
  let proxy: TcpProxy;
  let client: GraphqlClient;
  /** Starts a command of the product under a name of this test. */
  let start: (name: string, ...args: string[]) => AmrProcess;
  let baseUrl: string;
  /** Readings before it are held by every meter from the start, so every read returns them. */
  let begin: Date;

  beforeAll(async () => {
    begin = new Date();
    folder = await mkdtemp(join(tmpdir(), 'amr-system-'));
    database = await createTestDatabase();
    const broker = new URL(amqpUrl!);
    proxy = await startTcpProxy(broker.hostname, Number(broker.port || 5672));
    brokers = testBrokers(amqpUrl!);
    const keys = createKeyPair();
    const env = {
      DATABASE_URL: database.url,
      AMQP_URL: Object.assign(new URL(amqpUrl!), { hostname: '127.0.0.1', port: String(proxy.port) }).href,
      AMR_QUEUE_PREFIX: brokers.config.queuePrefix,
      AMR_HTTP_PORT: '0',
      AMR_CREDENTIALS_PUBLIC_KEY: keys.publicKey,
      AMR_CREDENTIALS_PRIVATE_KEY: keys.privateKey,
      // Short leases: a lost session is sent again after this and a margin.
      AMR_START_BY_SECONDS: '5',
      AMR_SESSION_CAP_SECONDS: '5',
      AMR_REPLY_TIMEOUT_SECONDS: '2',
    };
    start = (name, ...args) => {
      const started = startAmr(args, env);
      processes.set(name, started);
      return started;
    };
    const simulator = start(
      'simulator',
      'simulate',
      '--meters',
      String(METERS),
      '--port',
      '0',
      '--truth',
      join(folder, 'truth.csv'),
      '--installed-at',
      new Date(begin.getTime() - 100 * HOUR).toISOString(),
    );
    const server = start('server', 'server');
    for (const name of ['scheduler', 'ingester 1', 'ingester 2']) start(name, name.split(' ')[0]!);
    const [, ports] = await simulator.says(/ports ([\d ]+)/);
    const [, url] = await server.says(/ready: server (\S+)/);
    await Promise.all([...processes].filter(([name]) => name !== 'simulator').map(([, amr]) => amr.says(/^ready:/m)));
    baseUrl = url!;
    client = createClient({ url: `${url}/graphql` });

    const { createAmrTask } = await client.request(CreateAmrTaskDocument, {
      input: {
        name: 'hourly values',
        schedule: 'QUARTERLY',
        meterExecutionType: 'generic_lis200',
        taskCall: 'read_archive_by_offset_seconds',
        taskKwargs: { offset_seconds: 200 * 3600, archive_number: 3, control_position: 3 },
      },
    });
    const { createAmrTaskGroup } = await client.request(CreateAmrTaskGroupDocument, {
      input: { name: 'gas', tasks: [createAmrTask.amrTask.id] },
    });
    const portList = ports!.trim().split(' ').map(Number);
    for (const [index, port] of portList.entries()) {
      const name = `SIM-${String(index + 1).padStart(4, '0')}`;
      const { createNetworkInterface } = await client.request(CreateNetworkInterfaceDocument, {
        input: { name, kind: 'TCP', host: '127.0.0.1', port },
      });
      const { createMeterDevice } = await client.request(CreateMeterDeviceDocument, {
        input: {
          name,
          model: 'EK280',
          networkInterface: createNetworkInterface.networkInterface.id,
          taskGroups: [createAmrTaskGroup.amrTaskGroup.id],
          credentials: { password: '00000000' },
        },
      });
      meters.push({ name, id: createMeterDevice.meterDevice.id });
    }
  }, 120_000);

  afterAll(async () => {
    await Promise.all([...processes.values()].map((amr) => amr.kill()));
    await proxy.close();
    await brokers.dispose();
    await database.drop();
    await rm(folder, { recursive: true });
  });

  it(
    'stores what the meters hold, once, though processes are killed and all connections cut in the middle',
    { timeout: 240_000 },
    async () => {
      const { pool } = database.database;
      const count = async (sql: string) =>
        Number((await pool.query<{ n: string }>(`select count(*) as n from ${sql}`)).rows[0]!.n);
      const until = async (what: string, reached: () => Promise<boolean>, withinMs: number) => {
        const deadline = Date.now() + withinMs;
        while (!(await reached())) {
          if (Date.now() > deadline) {
            const { rows } = await pool.query(
              'select state, error_code, error_message, count(*) from task_run group by 1, 2, 3',
            );
            throw new Error(`not reached within ${withinMs} ms: ${what}; runs: ${JSON.stringify(rows)}`);
          }
          await pause(50);
        }
      };
      const followed = follow(client);
      await until(
        'the subscription is live',
        async () => /^amr_subscribers\S* [1-9]/m.test(await (await fetch(`${baseUrl}/metrics`)).text()),
        10_000,
      );

      // The slot that began before the task was made becomes due at once; invocations come on top.
      await pool.query(`update amr_task set active_since = '2020-01-01'`);
      for (const meter of meters) {
        await client.request(InvokeTaskDocument, {
          input: {
            meterDevice: meter.id,
            meterExecutionType: 'generic_lis200',
            taskCall: 'read_archive_by_offset_seconds',
            taskKwargs: { offset_seconds: 200 * 3600, archive_number: 7, control_position: 3 },
          },
        });
      }
      // One session at a time for each queue, so that the middle of the work lasts.
      for (const name of ['poller 1', 'poller 2']) start(name, 'poller', '--sessions', '1');
      await until(
        'the first runs succeeded',
        async () => (await count(`task_run where state = 'succeeded'`)) >= 10,
        30_000,
      );
      await processes.get('poller 1')!.kill();
      await processes.get('ingester 1')!.kill();
      expect(await count(`task_run where state = 'succeeded'`)).toBeLessThan(2 * METERS);
      await until('more runs succeeded', async () => (await count(`task_run where state = 'succeeded'`)) >= 25, 60_000);
      proxy.cut();
      // What a restart of PostgreSQL does to whoever is at work.
      await pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and application_name <> 'amr test'`,
      );

      await until(
        'every run has ended',
        async () =>
          (await count(`task_run where state in ('pending', 'dispatched', 'running')`)) === 0 &&
          (await count('task_run')) === 2 * METERS,
        150_000,
      );
      expect(
        (await pool.query(`select error_code, error_message from task_run where state <> 'succeeded'`)).rows,
      ).toEqual([]);
      await until(
        'every batch is relayed',
        async () => (await count('reading_log where position is null')) === 0,
        10_000,
      );

      expect(await processes.get('simulator')!.stop()).toBe(0);
      const held = await truth(join(folder, 'truth.csv'));
      const stored = await storedValues();
      // Each read began after `begin`: what was held then must be there, and nothing may be there that is not held.
      const expected = new Map([...held].filter(([key]) => new Date(key.split(' ')[2]!) <= begin));
      expect(expected.size).toBeGreaterThan(METERS * 8 * 90);
      expect([...expected].filter(([key, value]) => stored.get(key) !== value)).toEqual([]);
      expect([...stored].filter(([key, value]) => held.get(key) !== value)).toEqual([]);

      // Each stored reading was announced once, in an order that only rises.
      const { rows: log } = await pool.query<{ n: number; positions: number; last: number }>(
        'select sum(reading_count)::int as n, count(*)::int as positions, max(position)::int as last from reading_log',
      );
      expect(log[0]).toEqual({ n: stored.size, positions: log[0]!.last, last: log[0]!.last });
      const live = await followed.collect(stored.size);
      expect(live.size).toBe(stored.size);
      expect([...live].filter(([key, value]) => stored.get(key) !== value)).toEqual([]);
    },
  );

  it('stops each process in order at SIGTERM', { timeout: 60_000 }, async () => {
    for (const name of ['poller 2', 'ingester 2', 'scheduler', 'server']) {
      expect.soft(await processes.get(name)!.stop(), name).toBe(0);
    }
  });

  /** Subscribes to all readings from now on. A value that comes twice is an error. */
  function follow(api: GraphqlClient): { collect: (size: number) => Promise<Values> } {
    const values: Values = new Map();
    let cursor: string | undefined;
    const events = api.subscribe(MeterReadingAddedDocument, () => ({ after: cursor }));
    let notify: () => void = () => undefined;
    let failure: unknown;
    void (async () => {
      for await (const { meterReadingAdded: reading } of events) {
        const key = `${reading.meterDevice.name} ${reading.series} ${reading.timestamp}`;
        if (values.has(key)) throw new Error(`${key} was announced twice`);
        values.set(key, reading.value);
        cursor = reading.cursor ?? undefined;
        notify();
      }
    })().catch((error: unknown) => {
      failure = error;
      notify();
    });
    return {
      collect: async (size) => {
        const deadline = AbortSignal.timeout(30_000);
        while (values.size < size && failure === undefined && !deadline.aborted) {
          await new Promise<void>((resolve) => {
            notify = resolve;
            deadline.addEventListener('abort', () => resolve(), { once: true });
          });
        }
        await events.return?.();
        if (failure !== undefined) throw failure instanceof Error ? failure : new Error('the subscription ended');
        return values;
      },
    };
  }

  async function storedValues(): Promise<Values> {
    const { rows } = await database.database.pool.query<{ key: string; value: string }>(
      `select m.name || ' ' || s.name || ' ' || to_char(r.measured_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as key, r.value::text
       from meter_reading r join register g on g.id = r.register_id
       join meter_device m on m.id = g.meter_device_id join series s on s.id = g.series_id`,
    );
    return new Map(rows.map((row) => [row.key, row.value]));
  }
});

/** The values of the hourly and daily archives in a fleet's truth file. */
async function truth(file: string): Promise<Values> {
  const [header, ...lines] = (await readFile(file, 'utf8')).trim().split('\n');
  expect(header).toBe('meter,serial_number,archive,series,timestamp,value');
  const rows = lines.map((line) => line.split(',')).filter(([, , archive]) => archive === '3' || archive === '7');
  return new Map(rows.map(([meter, , , series, timestamp, value]) => [`${meter} ${series} ${timestamp}`, value!]));
}
