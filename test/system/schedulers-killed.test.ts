import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { pause } from '../../src/retry.js';
import { startFleet, type Fleet } from '../../src/simulators/fleet.js';
import { testBrokers, type TestBrokers } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startAmr, type AmrProcess } from '../support/processes.js';
import { seededRandom } from '../support/random.js';
import { assignTask, insertGroup, insertInterface, insertMeter, insertTask } from '../support/rows.js';
import { until } from '../support/until.js';

/** Multiplies slots and kills. 1 takes about half a minute. */
const SCALE = Number(process.env['PROOF_SCALE'] ?? 0.5);
const SEED = Number(process.env['PROOF_SEED'] ?? Date.now() % 1_000_000);
const SCHEDULERS = 3;
const METERS = 20;
const KILLS = 20 * SCALE;
/** Longest wait for a kill once work goes on after the last one: a scheduler that has just started would have nothing to lose. */
const KILL_WITHIN_MS = 400;
const WORK_WITHIN_MS = 30_000;
const LOOK_BACK_DAYS = 800;

const QUARTER_HOUR_MS = 900_000;
/** What a run of the merging task reads for one slot. */
const ARCHIVE_SECONDS = 3_600;
const DAY_SECONDS = 86_400;
const amqpUrl = inject('amqpUrl');

/** What the calendar of the schedules says, looked up moment by moment. */
const isSlot: Record<string, (at: Date) => boolean> = {
  quarterly: () => true,
  hourly: (at) => at.getUTCMinutes() === 0,
  daily: (at) => at.getUTCMinutes() === 0 && at.getUTCHours() === 0,
  weekly: (at) => isSlot['daily']!(at) && at.getUTCDay() === 1,
  monthly: (at) => isSlot['daily']!(at) && at.getUTCDate() === 1,
};

interface Plan {
  name: string;
  schedule: string;
  /** Slots missed. */
  slots: number;
  catchUp?: 'all' | 'latest';
  /** Meters by index, as groups; the same one may be in several. */
  groups?: number[][];
  /** Meters that have the task for themselves, by index. */
  direct?: number[];
  offsetSeconds?: number;
  deadlineSeconds: number;
  /** Reads an archive, so that one run stands for many slots. */
  merges?: boolean;
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

/** Deadlines are long, as slots are made long after their time; of the daily and monthly tasks the older slots' are over. */
const PLANS: readonly Plan[] = [
  {
    name: 'of a group',
    schedule: 'quarterly',
    slots: 96 * SCALE,
    groups: [range(0, 12)],
    deadlineSeconds: 90 * DAY_SECONDS,
  },
  {
    name: 'of two groups that share meters, later',
    schedule: 'hourly',
    slots: 72 * SCALE,
    groups: [range(0, 10), range(6, 16)],
    offsetSeconds: 1_200,
    deadlineSeconds: 90 * DAY_SECONDS,
  },
  {
    name: 'of a group and its meters',
    schedule: 'daily',
    slots: 100 * SCALE,
    groups: [range(10, 16)],
    direct: range(14, 18),
    deadlineSeconds: 40 * DAY_SECONDS,
  },
  { name: 'of meters', schedule: 'monthly', slots: 24, direct: range(16, 20), deadlineSeconds: 100 * DAY_SECONDS },
  {
    name: 'merged',
    schedule: 'quarterly',
    slots: 300 * SCALE,
    groups: [range(0, 10)],
    merges: true,
    deadlineSeconds: 90 * DAY_SECONDS,
  },
  {
    name: 'the latest',
    schedule: 'weekly',
    slots: 30,
    catchUp: 'latest',
    groups: [range(0, 20)],
    deadlineSeconds: 90 * DAY_SECONDS,
  },
];

interface Task extends Plan {
  id: string;
  meters: Set<string>;
  activeSince: Date;
}

interface SlotRow {
  task: string;
  at: Date;
  run_count: number;
  skipped: boolean;
  merged_into: Date | null;
}

interface RunRow {
  task: string;
  at: Date;
  meter: string;
  state: string;
  not_before: Date;
  deadline: Date;
  started_at: Date | null;
  attempts: number;
  error_code: string | null;
  offset_seconds: number | null;
}

describe.skipIf(!amqpUrl)('schedulers that are killed at any moment (needs RabbitMQ)', () => {
  const random = seededRandom(SEED);
  const processes = new Set<AmrProcess>();
  let schedulers: AmrProcess[];
  let database: TestDatabase;
  let brokers: TestBrokers;
  let fleet: Fleet;
  let start: (...args: string[]) => AmrProcess;
  const tasks: Task[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    brokers = testBrokers(amqpUrl!);
    fleet = await startFleet({ meters: METERS });
    const env = {
      DATABASE_URL: database.url,
      AMQP_URL: amqpUrl!,
      AMR_QUEUE_PREFIX: brokers.config.queuePrefix,
      // Short leases: what a killed scheduler claimed and did not publish is sent again after these and a margin.
      AMR_START_BY_SECONDS: '3',
      AMR_SESSION_CAP_SECONDS: '5',
      AMR_REPLY_TIMEOUT_SECONDS: '2',
    };
    start = (...args) => {
      const started = startAmr(args, env);
      processes.add(started);
      return started;
    };
    await createTasks();
    const poller = start('poller', '--sessions', String(METERS));
    schedulers = range(0, SCHEDULERS).map(() => start('scheduler'));
    await Promise.all([poller, ...schedulers].map((amr) => amr.says(/^ready:/m)));
  }, 120_000);

  afterAll(async () => {
    await Promise.all([...processes].map((amr) => amr.kill()));
    await fleet?.stop();
    await brokers?.dispose();
    await database?.drop();
  });

  it(
    'make each run of each slot once, and bring all to an end',
    { timeout: 360_000 * SCALE },
    async ({ onTestFailed }) => {
      const { pool } = database.database;
      let leadersKilled = 0;
      onTestFailed(() => console.log(`seed ${SEED}`));

      // One task more becomes due at each of the first kills, so that slots of several are being made all the time.
      const activated = new Map<string, Date>();
      for (let kill = 0; kill < KILLS; kill++) {
        const task = tasks[kill];
        if (task) activated.set(task.id, await activate(task));
        await moreWorkDone();
        await pause(random() * KILL_WITHIN_MS);
        leadersKilled += await killOne();
      }
      const atLastKill = await progress();
      const end = await databaseNow();
      await until(
        pool,
        'every slot is made',
        async () => (await progress()).slots >= slotsExpected(end),
        120_000 * SCALE,
      );
      await until(pool, 'every due run has ended', async () => (await openRuns(end)) === 0, 120_000 * SCALE);

      const slots = await slotRows(end);
      const runs = await runRows(end);
      for (const task of tasks) {
        const expected = expectedSlots(task, end);
        const made = slots.filter(({ task: id }) => id === task.id);
        expect(
          made.map(({ at }) => at),
          task.name,
        ).toEqual(expected);
        expectComplete(task, made);
        const ofTask = runs.filter((run) => run.task === task.id);
        const wanted = made.filter(standsForItself);
        const keys = ofTask.map(({ at, meter }) => `${at.toISOString()} ${meter}`);
        expect(keys.sort(), task.name).toEqual(
          wanted.flatMap(({ at }) => [...task.meters].map((meter) => `${at.toISOString()} ${meter}`)).sort(),
        );
        for (const run of ofTask) expectOutcome(task, run, made, activated.get(task.id)!, end);
      }

      // Two at once would have been hung up on by the meter; in the table, no session began before the one before it ended.
      expect(fleet.counters.overlaps).toBe(0);
      const { rows: overlapping } = await pool.query(
        `select a.id from poll_session a join poll_session b using (network_interface_id)
         where a.created_at < b.created_at and b.started_at < coalesce(a.closed_at, 'infinity')`,
      );
      expect(overlapping).toEqual([]);
      expect(leadersKilled).toBeGreaterThan(0);
      const { rows: sessions } = await pool.query<{ all: number; lost: number }>(
        `select count(*)::int as all, count(*) filter (where started_at is null)::int as lost from poll_session`,
      );
      console.log(
        `seed ${SEED}: ${runs.length} runs in ${slots.length} slots of ${tasks.length} tasks; ${KILLS} kills, ${leadersKilled} of ` +
          `the leader, the last with ${atLastKill.slots} slots made and ${atLastKill.openRuns} runs open; ` +
          `${sessions[0]!.all} sessions, ${sessions[0]!.lost} of them lost before they began`,
      );
    },
  );

  async function createTasks(): Promise<void> {
    const { pool } = database.database;
    const meters: string[] = [];
    for (const { name, serialNumber, host, port } of fleet.meters) {
      const network_interface_id = await insertInterface(pool, name, { host, port });
      meters.push(await insertMeter(pool, name, { serial_number: serialNumber, network_interface_id }));
    }
    const idsOf = (indexes: readonly number[]) => indexes.map((index) => meters[index]!);
    const now = await databaseNow();
    for (const plan of PLANS) {
      const activeSince = nthSlotBefore(plan.schedule, now, plan.slots);
      const id = await insertTask(pool, plan.name, {
        schedule: plan.schedule,
        catch_up: plan.catchUp ?? 'all',
        run_offset_seconds: plan.offsetSeconds ?? 0,
        deadline_seconds: plan.deadlineSeconds,
        active_since: activeSince,
        is_active: false,
        ...(plan.merges
          ? { task_kwargs: { offset_seconds: ARCHIVE_SECONDS, archive_number: 3, control_position: 3 } }
          : { task_call: 'read_single_value', task_kwargs: { address: '2:300.0' } }),
      });
      for (const [index, group] of (plan.groups ?? []).entries()) {
        await insertGroup(pool, `${plan.name} ${index + 1}`, [id], idsOf(group));
      }
      for (const meter of idsOf(plan.direct ?? [])) await assignTask(pool, meter, id);
      tasks.push({
        ...plan,
        id,
        activeSince,
        meters: new Set(idsOf([...(plan.groups ?? []).flat(), ...(plan.direct ?? [])])),
      });
    }
  }

  async function activate({ id }: Task): Promise<Date> {
    await database.database.pool.query('update amr_task set is_active = true where id = $1', [id]);
    return databaseNow();
  }

  /** Kills one that works, the leader every second time, and starts another in its place. @returns 1 when it was the leader */
  async function killOne(): Promise<number> {
    const isReady = (amr: AmrProcess) => amr.stdout.includes('ready:');
    const leads = (amr: AmrProcess) => amr.stderr.includes('"msg":"leads"');
    await until(database.database.pool, 'a scheduler is ready', () => schedulers.some(isReady), 30_000);
    const ready = schedulers.filter(isReady);
    const leader = ready.find(leads);
    const victim = leader && random() < 0.5 ? leader : ready[Math.floor(random() * ready.length)]!;
    await victim.kill();
    processes.delete(victim);
    schedulers[schedulers.indexOf(victim)] = start('scheduler');
    return leads(victim) ? 1 : 0;
  }

  async function databaseNow(): Promise<Date> {
    return (await database.database.pool.query<{ now: Date }>('select now()')).rows[0]!.now;
  }

  /** Waits until a slot or a run more is done. */
  async function moreWorkDone(): Promise<void> {
    const done = async () => {
      const { slots, endedRuns } = await progress();
      return slots + endedRuns;
    };
    const before = await done();
    await until(database.database.pool, 'work goes on', async () => (await done()) > before, WORK_WITHIN_MS);
  }

  async function progress(): Promise<{ slots: number; openRuns: number; endedRuns: number }> {
    const { rows } = await database.database.pool.query<{ slots: number; openRuns: number; endedRuns: number }>(
      `select (select count(*)::int from task_slot) as slots,
         count(*) filter (where finished_at is null)::int as "openRuns", count(finished_at)::int as "endedRuns"
       from task_run`,
    );
    return rows[0]!;
  }

  function slotsExpected(end: Date): number {
    return tasks.reduce((sum, task) => sum + expectedSlots(task, end).length, 0);
  }

  /** Runs that have not ended, of slots whose time has come. */
  async function openRuns(end: Date): Promise<number> {
    const { rows } = await database.database.pool.query<{ n: number }>(
      `select count(*)::int as n from task_run r join amr_task t on t.id = r.amr_task_id
       where r.finished_at is null and r.scheduled_for + t.run_offset_seconds * interval '1 second' <= $1`,
      [end],
    );
    return rows[0]!.n;
  }

  async function slotRows(end: Date): Promise<SlotRow[]> {
    const { rows } = await database.database.pool.query<SlotRow>(
      `select amr_task_id as task, scheduled_for as at, run_count, skipped, merged_into from task_slot
       where scheduled_for <= $1 order by scheduled_for`,
      [end],
    );
    return rows;
  }

  async function runRows(end: Date): Promise<RunRow[]> {
    const { rows } = await database.database.pool.query<RunRow>(
      `select amr_task_id as task, scheduled_for as at, meter_device_id as meter, state, not_before, deadline, started_at,
         attempts, error_code, (task_kwargs ->> 'offset_seconds')::int as offset_seconds
       from task_run where scheduled_for <= $1`,
      [end],
    );
    return rows;
  }
});

function* quarterHours(from: Date, to: Date): Generator<Date> {
  const first = Math.ceil(from.getTime() / QUARTER_HOUR_MS) * QUARTER_HOUR_MS;
  for (let ms = first; ms <= to.getTime(); ms += QUARTER_HOUR_MS) yield new Date(ms);
}

function expectedSlots({ schedule, activeSince }: Task, end: Date): Date[] {
  return [...quarterHours(activeSince, end)].filter(isSlot[schedule]!);
}

/** The moment from which on `count` slots have been missed by `now`. */
function nthSlotBefore(schedule: string, now: Date, count: number): Date {
  const from = new Date(now.getTime() - LOOK_BACK_DAYS * DAY_SECONDS * 1000);
  const slots = [...quarterHours(from, now)].filter(isSlot[schedule]!);
  if (slots.length < count) throw new Error(`${schedule} has no ${count} slots in ${LOOK_BACK_DAYS} days`);
  return slots.at(-count)!;
}

/** A slot is skipped, stands for itself, or is merged into a later one that stands for itself. */
function expectComplete(task: Task, slots: readonly SlotRow[]): void {
  const standing = new Set(slots.filter(standsForItself).map(({ at }) => at.getTime()));
  for (const slot of slots) {
    const what = `${task.name} ${slot.at.toISOString()}`;
    expect(slot.run_count, what).toBe(standsForItself(slot) ? task.meters.size : 0);
    if (slot.merged_into === null) continue;
    expect(task.merges, what).toBe(true);
    expect(slot.merged_into > slot.at && standing.has(slot.merged_into.getTime()), what).toBe(true);
  }
  expect(slots.at(-1)!.skipped, task.name).toBe(false);
  const skipped = slots.filter((slot) => slot.skipped).length;
  expect(skipped, task.name).toBe(task.catchUp === 'latest' ? task.slots - 1 : 0);
}

function standsForItself({ skipped, merged_into }: SlotRow): boolean {
  return !skipped && merged_into === null;
}

/** @param activatedAt since when the run can have been made; @param end when all that was due had its time */
function expectOutcome(task: Task, run: RunRow, slots: readonly SlotRow[], activatedAt: Date, end: Date): void {
  const what = `${task.name} ${JSON.stringify(run)}`;
  const notBefore = run.at.getTime() + (task.offsetSeconds ?? 0) * 1000;
  expect(run.not_before.getTime(), what).toBeGreaterThanOrEqual(notBefore);
  // Of a slot that was missed the time began when the run was made.
  expect(run.deadline.getTime(), what).toBeGreaterThanOrEqual(notBefore + task.deadlineSeconds * 1000);
  if (run.started_at) expect(run.started_at.getTime(), what).toBeGreaterThanOrEqual(notBefore);
  if (run.deadline <= activatedAt) {
    expect([run.state, run.attempts], what).toEqual(['expired', 0]);
    expect(['EXPIRED', 'INTERFACE_BUSY', 'NO_WORKER'], what).toContain(run.error_code);
  } else if (notBefore <= end.getTime() && run.deadline > end) {
    expect(run.state, what).toBe('succeeded');
  }
  if (!task.merges) return;
  // It reads as far back as the oldest of the slots that it stands for would have.
  const oldest = slots.find(({ at, merged_into }) => (merged_into ?? at).getTime() === run.at.getTime())!;
  expect(run.offset_seconds, what).toBe(ARCHIVE_SECONDS + (run.at.getTime() - oldest.at.getTime()) / 1000);
}
