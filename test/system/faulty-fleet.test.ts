import { randomInt } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createKeyPair, seal } from '../../src/credentials.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { createClient, type GraphqlClient } from '../../src/graphql/client.js';
import { InvokeTaskDocument } from '../../src/graphql/generated/graphql.js';
import { pause } from '../../src/retry.js';
import { assignFaults } from '../../src/simulators/fault-assignment.js';
import type { MeterFault } from '../../src/simulators/faults.js';
import { parseProfile } from '../../src/simulators/fleet-profile.js';
import { meterName } from '../../src/simulators/fleet.js';
import { testBrokers, type TestBrokers } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { behindSeconds, expectedOf, faultyProfile, MAXIMUM_DRIFT_SECONDS } from '../support/faulty-fleet.js';
import { inventedReadings, loadTruth, missingReadings, segmentUse } from '../support/fleet-proof.js';
import { startHangingPort, type HangingPort } from '../support/hanging-port.js';
import { startAmr, type AmrProcess } from '../support/processes.js';
import { seededRandom } from '../support/random.js';
import { insertGroup, insertInterface, insertMeter, insertSegment, insertTask } from '../support/rows.js';

const HOUR_MS = 3_600_000;
/** `FLEET_METERS=2000 npx vitest run test/system/faulty-fleet.test.ts` is a longer proof; `FLEET_SEED` repeats one. */
const METERS = Number(process.env['FLEET_METERS'] ?? 120);
const SEED = Number(process.env['FLEET_SEED'] ?? randomInt(2 ** 31));
const METERS_PER_GATEWAY = 5;
/** Of the meters that have the line for themselves; the others share one, as behind a gateway. */
const LINES_SHARE = 0.6;
/** More meters need more time rather than more sessions: one machine carries them all. */
const SCALE = Math.min(4, METERS / 200);
const scaled = (limit: number) => Math.max(1, Math.round(limit * SCALE));
/** From the first session to the deadline of every run: enough for a lost session at the end of the kills, and its repeat. */
const DEADLINE_SECONDS = 60 + Math.max(0, Math.round(0.12 * (METERS - 200)));
const SLOTS = 3;

const amqpUrl = inject('amqpUrl');

interface Meter {
  id: string;
  fleet: string;
  name: string;
  serialNumber: string;
  fault: MeterFault | { kind: 'hang' } | undefined;
}

interface Run {
  meter_device_id: string;
  task_call: string;
  origin: string;
  state: string;
  error_code: string | null;
  error_message: string | null;
  attempts: number;
  lost_tries: number;
  finished_at: Date;
  result: Record<string, unknown> | null;
}

interface Counters {
  connections: number;
  sessions: number;
  codesTried: Record<string, number>;
  ports: { port: number; meters: string[]; connections: number; overlaps: number }[];
}

describe.skipIf(!amqpUrl)('a faulty fleet and a head end whose processes are killed (needs RabbitMQ)', () => {
  const processes = new Map<string, AmrProcess>();
  const meters: Meter[] = [];
  const random = seededRandom(SEED);
  const keys = createKeyPair();
  const begin = new Date();
  const fleets = [
    { name: 'lines', meters: Math.round(METERS * LINES_SHARE), metersPerPort: 1, seed: 1 },
    { name: 'gateways', meters: METERS - Math.round(METERS * LINES_SHARE), metersPerPort: METERS_PER_GATEWAY, seed: 2 },
  ];
  let folder: string;
  let database: TestDatabase;
  let brokers: TestBrokers;
  let hanging: HangingPort;
  let client: GraphqlClient;
  let env: Record<string, string>;

  /** Starts a command of the product under a name of this test, in the place of one that was killed. */
  const start = (name: string, ...args: string[]) => {
    const started = startAmr(args, env);
    processes.set(name, started);
    return started;
  };
  const startWorker = (name: string) => {
    const kind = name.split(' ')[0]!;
    return start(name, kind, ...(kind === 'poller' ? ['--sessions', String(scaled(30))] : []));
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'amr-faulty-fleet-'));
    database = await createTestDatabase();
    brokers = testBrokers(amqpUrl!);
    hanging = await startHangingPort();
    env = {
      DATABASE_URL: database.url,
      AMQP_URL: amqpUrl!,
      AMR_QUEUE_PREFIX: brokers.config.queuePrefix,
      AMR_HTTP_PORT: '0',
      AMR_CREDENTIALS_PUBLIC_KEY: keys.publicKey,
      AMR_CREDENTIALS_PRIVATE_KEY: keys.privateKey,
      AMR_START_BY_SECONDS: '8',
      AMR_SESSION_CAP_SECONDS: '6',
      AMR_REPLY_TIMEOUT_SECONDS: '1',
      AMR_CONNECT_TIMEOUT_SECONDS: '1',
    };
    const server = start('server', 'server');
    await Promise.all([startFleets(), server.says(/^ready:/m)]);
    client = createClient({ url: `${/ready: server (\S+)/.exec(server.stdout)![1]}/graphql` });
  }, 120_000);

  afterAll(async () => {
    await Promise.all([...processes.values()].map((amr) => amr.kill()));
    await hanging.close();
    await brokers.dispose();
    await database.drop();
    await rm(folder, { recursive: true });
  });

  /**
   * On ports below those that are given to whoever asks for any: else one on which a fleet refuses connections, and that
   * nobody listens on therefore, would soon be somebody else's.
   */
  async function startSimulator(name: string, ports: number, args: readonly string[]) {
    for (let tries = 1; ; tries++) {
      const firstPort = randomInt(10_000, 32_000 - ports);
      try {
        const simulator = start(`simulator of ${name}`, 'simulate', '--port', String(firstPort), ...args);
        const [, first] = await simulator.says(/serial numbers (\d+) /);
        return { firstPort, firstSerialNumber: Number(first) };
      } catch (error) {
        if (tries === 5) throw error;
      }
    }
  }

  /** Starts the simulators and registers their meters, in segments. */
  async function startFleets(): Promise<void> {
    const { pool } = database.database;
    const [radio, apn, gateways] = await Promise.all([
      insertSegment(pool, 'radio', { max_open_sessions: scaled(12), max_new_sessions_per_second: scaled(8) }),
      insertSegment(pool, 'apn', { max_new_sessions_per_second: scaled(6) }),
      insertSegment(pool, 'gateways', { max_open_sessions: scaled(12) }),
    ]);
    const segmentOf = (fleet: string, port: number) =>
      fleet === 'gateways' ? gateways : [radio, radio, radio, radio, radio, apn, apn, apn, apn, null][port % 10];
    const register = async (meter: Omit<Meter, 'id'>, networkInterface: string, address: string | null) => {
      const id = uuidAt();
      await insertMeter(pool, `${meter.fleet} ${meter.name}`, {
        id,
        model: 'EK280',
        serial_number: meter.serialNumber,
        protocol_address: address,
        network_interface_id: networkInterface,
        credentials: seal(keys.publicKey, id, { password: '00000000' }),
      });
      meters.push({ id, ...meter });
    };

    for (const fleet of fleets) {
      const profile = faultyProfile(SEED, begin.getTime());
      const profileFile = join(folder, `${fleet.name}.json`);
      await writeFile(profileFile, JSON.stringify(profile));
      const faults = assignFaults(parseProfile(profile, profileFile, begin.getTime()).faults, { ...fleet, seed: SEED });
      const options = {
        meters: fleet.meters,
        'meters-per-port': fleet.metersPerPort,
        seed: fleet.seed,
        'installed-at': new Date(begin.getTime() - 30 * HOUR_MS).toISOString(),
        profile: profileFile,
        truth: join(folder, `${fleet.name}.csv`),
        counters: join(folder, `${fleet.name}-counters.json`),
      };
      const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
      const ports = Math.ceil(fleet.meters / fleet.metersPerPort);
      const { firstPort, firstSerialNumber } = await startSimulator(fleet.name, ports, args);
      await Promise.all(
        Array.from({ length: ports }, (_, i) => firstPort + i).map(async (port, portIndex) => {
          const networkInterface = await insertInterface(pool, `${fleet.name} ${port}`, {
            port,
            segment_id: segmentOf(fleet.name, portIndex),
          });
          const from = portIndex * fleet.metersPerPort;
          for (let index = from; index < Math.min(from + fleet.metersPerPort, fleet.meters); index++) {
            const serialNumber = String(firstSerialNumber + index);
            const meter = { fleet: fleet.name, name: meterName(index), serialNumber, fault: faults[index] };
            await register(meter, networkInterface, fleet.metersPerPort > 1 ? serialNumber : null);
          }
        }),
      );
    }
    const off = await insertInterface(pool, 'modem that is off', { port: hanging.port });
    await register({ fleet: 'none', name: 'off', serialNumber: '1', fault: { kind: 'hang' } }, off, null);

    const task = (name: string, columns: Record<string, unknown>) =>
      insertTask(pool, name, { catch_up: 'all', deadline_seconds: 86_400, is_active: false, ...columns });
    const tasks = await Promise.all([
      task('identity', { task_call: 'read_single_value', task_kwargs: { address: '1:180' } }),
      task('clock', {
        task_call: 'set_time',
        task_kwargs: { allowed_drift_seconds: 3, maximum_drift_seconds: MAXIMUM_DRIFT_SECONDS },
      }),
      task('hours', { task_kwargs: { offset_seconds: 200 * 3600, archive_number: 3, control_position: 3 } }),
      task('days', { task_kwargs: { offset_seconds: 200 * 3600, archive_number: 7, control_position: 3 } }),
    ]);
    await insertGroup(
      pool,
      'all',
      tasks,
      meters.map(({ id }) => id),
    );
  }

  it(
    'ends every run in a stated state, stores what the meters hold, and keeps to one session per interface',
    { timeout: (DEADLINE_SECONDS + 240) * 1000 },
    async () => {
      const startedAt = performance.now();
      const seconds = () => Math.round((performance.now() - startedAt) / 100) / 10;
      const say = (what: string) => process.stdout.write(`faulty fleet: ${seconds()} s: ${what}\n`);
      const { pool } = database.database;
      const faulty = meters.filter(({ fault }) => fault !== undefined).length;
      say(`FLEET_SEED=${SEED} FLEET_METERS=${METERS}, ${faulty} with a fault; runs end within ${DEADLINE_SECONDS} s`);
      const count = async (sql: string) =>
        (await pool.query<{ n: number }>(`select count(*)::int as n from ${sql}`)).rows[0]!.n;
      const states = async () =>
        (
          await pool.query<{ line: string }>(
            `select concat_ws(' ', count(*), task_call, state, error_code) as line from task_run
             group by task_call, state, error_code order by 1`,
          )
        ).rows.map(({ line }) => line);
      /** The last warnings of each process. */
      const complaints = () =>
        [...processes]
          .flatMap(([name, { stderr }]) =>
            (stderr.match(/^\{"level":[456].*$/gm) ?? []).slice(-5).map((line) => `${name}: ${line.slice(0, 500)}`),
          )
          .join('\n');
      const until = async (what: string, reached: () => Promise<boolean>, withinSeconds: number) => {
        const deadline = performance.now() + withinSeconds * 1000;
        while (!(await reached())) {
          if (performance.now() > deadline) {
            const runs = (await states()).join('\n');
            throw new Error(
              `seed ${SEED}: not reached within ${withinSeconds} s: ${what}; runs:\n${runs}\nlogs:\n${complaints()}`,
            );
          }
          await pause(100);
        }
      };

      const pollers = ['poller 1', 'poller 2', 'poller 3'];
      const workers = ['scheduler', 'ingester', ...pollers];
      await Promise.all(workers.map((name) => startWorker(name).says(/^ready:/m)));

      // One deadline for all, where slots have theirs a quarter of an hour apart.
      await pool.query(`
        create function soon() returns trigger language plpgsql as
          $$ begin new.deadline = now() + ${DEADLINE_SECONDS} * interval '1 second'; return new; end $$;
        create trigger soon before insert on task_run for each row execute function soon()`);
      await pool.query(`update amr_task set is_active = true, active_since =
        date_bin('15 minutes', now(), timestamptz '2020-01-01') - interval '${(SLOTS - 1) * 15} minutes'`);
      await until(
        'every task has its slots',
        async () => (await count('task_slot')) >= SLOTS * (await count('amr_task')),
        30,
      );
      // No slot of a quarter that ends meanwhile.
      await pool.query('update amr_task set is_active = false');
      await invoke();
      const runs = await count('task_run');
      expect(await count('task_slot where merged_into is not null')).toBeGreaterThanOrEqual(2 * (SLOTS - 1));
      say(`${runs} runs`);

      // While about the first of the sessions begin, so that few meters are held up by more than one lease.
      const victims = shuffle(workers);
      const begun = await count('poll_session where started_at is not null');
      for (const [index, name] of victims.entries()) {
        const sessions = begun + Math.round((0.6 * METERS * (index + random())) / victims.length);
        await until(
          `${sessions} sessions have begun`,
          async () => (await count('poll_session where started_at is not null')) >= sessions,
          DEADLINE_SECONDS,
        );
        await pause(random() * 300);
        await processes.get(name)!.kill();
        startWorker(name);
        say(`killed ${name} after ${sessions} sessions`);
      }

      await until(
        'every run has ended',
        async () => (await count(`task_run where state in ('pending', 'dispatched', 'running')`)) === 0,
        DEADLINE_SECONDS + 60,
      );
      await until(
        'what was read is stored',
        async () =>
          (await count(
            `task_run where reading_count > stored_count + duplicate_count + revised_count + rejected_count`,
          )) === 0,
        60,
      );
      await until(
        'every session is closed',
        async () => (await count('poll_session where closed_at is null')) === 0,
        60,
      );
      say(`all runs have ended:\n  ${(await states()).join('\n  ')}`);

      const counters = new Map<string, Counters>();
      for (const { name } of fleets) {
        expect(await processes.get(`simulator of ${name}`)!.stop()).toBe(0);
        counters.set(name, JSON.parse(await readFile(join(folder, `${name}-counters.json`), 'utf8')) as Counters);
      }
      await loadTruth(
        pool,
        meters.map((meter) => ({
          ...meter,
          behindSeconds: meter.fault?.kind === 'hang' ? 0 : behindSeconds(meter.fault),
          archiveRows: meter.fault?.kind === 'archive-wrap' ? meter.fault.rows : undefined,
        })),
        Object.fromEntries(fleets.map(({ name }) => [name, join(folder, `${name}.csv`)])),
      );

      // 1. Every run ended in a state that its meter's fault accounts for.
      const { rows: ended } = await pool.query<Run>(
        `select meter_device_id, task_call, origin, state, error_code, error_message, attempts, lost_tries, finished_at, result
         from task_run`,
      );
      const byId = new Map(meters.map((meter) => [meter.id, meter]));
      const surprises = ended.flatMap((run) => {
        const meter = byId.get(run.meter_device_id)!;
        const surprise = surpriseOf(run, meter);
        if (surprise === undefined) return [];
        const { task_call: call, origin, state, error_code: code, error_message: message } = run;
        return [
          `${surprise}: ${meter.fleet} ${meter.name} ${JSON.stringify({ fault: meter.fault, call, origin, state, code, message })}`,
        ];
      });
      expect.soft(surprises.slice(0, 20)).toEqual([]);
      expect.soft(ended.filter(({ state }) => state === 'succeeded').length).toBeGreaterThan(ended.length / 2);
      expect.soft(await count('task_run where lost_tries > 0'), 'the kills met sessions').toBeGreaterThan(0);

      // 2. What is stored is what the meters held.
      const missing = await missingReadings(pool, begin);
      expect.soft(missing.differences).toEqual([]);
      expect.soft(missing.cells).toBeGreaterThan((METERS / 2) * 29 * 8);
      const invented = await inventedReadings(pool);
      expect.soft(invented.differences).toEqual([]);
      expect.soft(await count('meter_reading_revision')).toBe(0);
      expect.soft(await count('staged_reading')).toBe(0);
      expect.soft(await count(`dead_letter where queue = 'readings.new'`)).toBe(0);
      say(`${missing.cells} cells were to be stored, ${invented.cells} are`);

      // 3. No interface ever had two sessions open.
      const ports = [...counters.values()].flatMap((fleet) => fleet.ports);
      expect.soft(ports.filter(({ overlaps }) => overlaps > 0)).toEqual([]);
      expect.soft(ports.filter(({ connections }) => connections > 0).length).toBeGreaterThan(0.8 * ports.length);

      // 4. No segment ever had more than its limits.
      const segments = await segmentUse(pool);
      say(`segments: ${JSON.stringify(segments)}`);
      for (const use of segments) {
        expect.soft(use.mostOpen, use.segment).toBeLessThanOrEqual(use.allowedOpen ?? Infinity);
        expect.soft(use.mostPerSecond, use.segment).toBeLessThanOrEqual(use.allowedPerSecond ?? Infinity);
      }

      // 5. A wrong password is tried once, and once more only where the session vanished that tried it before.
      const { rows: vanished } = await pool.query<{ meter: string; n: number }>(
        `select meter_device_id as meter, count(*)::int as n from poll_session
         where started_at is not null and poller is null group by 1`,
      );
      const vanishedOf = new Map(vanished.map(({ meter, n }) => [meter, n]));
      const locked = meters.filter(({ fault }) => fault?.kind === 'wrong-password');
      const tried = locked.map((meter) => ({
        ...meter,
        codesTried: counters.get(meter.fleet)!.codesTried[meter.name] ?? 0,
        vanished: vanishedOf.get(meter.id) ?? 0,
      }));
      say(
        `codes tried on ${locked.length} meters with another password: ${tried.map((meter) => meter.codesTried).join(' ')}`,
      );
      expect.soft(tried.filter(({ codesTried, vanished }) => codesTried > 1 + vanished)).toEqual([]);
      expect.soft(tried.reduce((sum, { codesTried }) => sum + codesTried, 0)).toBeGreaterThan(0);
    },
  );

  /** Somebody asks for a part of an archive on every tenth meter, and has the clock set where the password is wrong. */
  async function invoke(): Promise<void> {
    const at = (hours: number) => new Date(begin.getTime() + hours * HOUR_MS).toISOString();
    for (const [index, { id, fault }] of meters.entries()) {
      const isLocked = fault?.kind === 'wrong-password';
      if (index % 10 !== 0 && !isLocked) continue;
      const call = isLocked
        ? { taskCall: 'set_time', taskKwargs: {} }
        : {
            taskCall: 'read_archive_by_date',
            taskKwargs: { start_date: at(-20), end_date: at(-3), archive_number: 3, control_position: 3 },
          };
      const input = {
        meterDevice: id,
        meterExecutionType: 'generic_lis200',
        deadlineSeconds: DEADLINE_SECONDS,
        ...call,
      };
      await client.request(InvokeTaskDocument, { input }).catch((error: unknown) => {
        // The meter has refused its password already.
        if (!isLocked || !/refused its credentials/.test(String(error))) throw error;
      });
    }
  }

  /** Why the end of a run is not to be expected on its meter; undefined when it is. */
  function surpriseOf(run: Run, { fault, serialNumber }: Meter): string | undefined {
    const { success, codes } = expectedOf(fault, run.task_call);
    if (run.state === 'succeeded') {
      if (success === 'never') return 'succeeded in spite of the fault';
      const told = run.result?.['value'];
      return run.task_call === 'read_single_value' && told !== serialNumber ? `another meter's answer` : undefined;
    }
    if (run.state !== 'failed' && run.state !== 'expired') return 'no state for a run to end in';
    const code = run.error_code as (typeof codes)[number] | null;
    if (code === null || !run.error_message) return 'no reason is given';
    // The clock is left alone around the end of an archive period; ours are hours.
    if (run.task_call === 'set_time' && code === 'REFUSED' && isNearFullHour(run.finished_at)) return undefined;
    if (success === 'always') return 'did not succeed';
    if (codes.includes(code) || (code === 'LOST' && run.lost_tries > 0)) return undefined;
    // Its interface or segment was taken by others all the time.
    if (run.attempts === 0 && (code === 'INTERFACE_BUSY' || code === 'SEGMENT_FULL')) return undefined;
    return `its fault does not cause ${code}`;
  }

  function shuffle<T>(items: readonly T[]): T[] {
    return items
      .map((item) => ({ item, rank: random() }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ item }) => item);
  }
});

function isNearFullHour(at: Date): boolean {
  const minutes = (at.getTime() % HOUR_MS) / 60_000;
  return minutes < 5 || minutes > 55;
}
