import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MeterErrorCode } from '../../src/errors.js';
import { RunsChangedMessage, type PollSessionMessage } from '../../src/messaging/contracts.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { ResultsBook } from '../../src/services/results.js';
import { materialiseDueSlots } from '../../src/services/slots.js';
import { silentLog } from '../support/broker.js';
import { claimDue } from '../support/claim.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { assignTask, insertMeter, insertTask } from '../support/rows.js';

const TIMINGS = { startByMs: 60_000, sessionCapMs: 60_000 };

let test: TestDatabase;
let broker: MemoryBroker;
beforeAll(async () => {
  test = await createTestDatabase();
  broker = new MemoryBroker(silentLog);
});
afterAll(async () => {
  await broker.close();
  await test.drop();
});
beforeEach(() =>
  query(
    'truncate task_run, task_slot, poll_session, amr_task, amr_task_group, meter_device, network_interface cascade',
  ),
);

const query = async (sql: string, parameters: unknown[] = []) =>
  (await test.database.pool.query(sql, parameters)).rows as Record<string, unknown>[];
const states = (meter: string) =>
  query('select state, error_code from task_run where meter_device_id = $1 order by state, error_code', [meter]);
const rejectedAt = async (meter: string) =>
  (await query('select credentials_rejected_at as at from meter_device where id = $1', [meter]))[0]!['at'];

/** A due run of a new task on each meter. */
async function due(...meters: string[]): Promise<void> {
  const { pool } = test.database;
  const task = await insertTask(pool, `task ${Math.random()}`);
  for (const meter of meters) await assignTask(pool, meter, task);
  await materialiseDueSlots(pool);
}

async function claim(): Promise<PollSessionMessage> {
  const sessions = await claimDue(test.database.pool, TIMINGS);
  expect(sessions).toHaveLength(1);
  return sessions[0]!;
}

function failed(session: PollSessionMessage, call: number, code: MeterErrorCode, phase?: string): Promise<unknown> {
  const { handle } = new ResultsBook(test.database.pool, broker, TIMINGS, silentLog, new AbortController().signal);
  const message = {
    type: 'run_finished',
    session: session.session,
    run: session.calls[call]!.run,
    ok: false,
    reading_count: 0,
    error: { code, message: 'it said no', phase },
  };
  const body = Buffer.from(JSON.stringify(message));
  return handle({ body, redelivered: false, messageId: undefined, publishedAt: undefined, headers: {} });
}

const FAILED_BY_REJECTION = { state: 'failed', error_code: 'CREDENTIALS_REJECTED' };

describe('a meter that refused its password', () => {
  it('is not called again: what waits for it fails, and says what to do', async () => {
    const { pool } = test.database;
    const [meter, neighbour] = [await insertMeter(pool, 'm'), await insertMeter(pool, 'neighbour')];
    await due(meter);
    const session = await claim();
    await due(meter, neighbour);
    const announced: string[] = [];
    const listener = await broker.listen('runs.changed', (body) => {
      announced.push(...RunsChangedMessage.parse(JSON.parse(body.toString())).runs);
    });
    await failed(session, 0, 'WRONG_PASSWORD', 'open lock 3');
    expect(await states(meter)).toEqual([FAILED_BY_REJECTION, { state: 'failed', error_code: 'WRONG_PASSWORD' }]);
    expect(await states(neighbour)).toEqual([{ state: 'pending', error_code: null }]);
    expect(await rejectedAt(meter)).toBeInstanceOf(Date);
    expect(await rejectedAt(neighbour)).toBeNull();
    const failedRuns = await query('select id, error_message from task_run where meter_device_id = $1', [meter]);
    await expect.poll(() => announced.toSorted()).toEqual(failedRuns.map(({ id }) => id).toSorted());
    expect(failedRuns.map((run) => run['error_message'])).toContainEqual(
      expect.stringMatching(/new credentials.*clearCredentialsRejection/),
    );
    await listener.drain();
  });

  it('keeps the time of the first refusal, and fails also what a session has put back', async () => {
    const { pool } = test.database;
    const meter = await insertMeter(pool, 'm');
    await due(meter);
    await due(meter);
    await due(meter);
    const session = await claim();
    await failed(session, 0, 'WRONG_PASSWORD', 'open lock 3');
    const first = await rejectedAt(meter);
    await failed(session, 1, 'TIMEOUT');
    await query(`update meter_device set credentials_rejected_at = credentials_rejected_at - interval '1 hour'`);
    await failed(session, 2, 'WRONG_PASSWORD', 'open lock 3');
    expect(await rejectedAt(meter)).toEqual(new Date((first as Date).getTime() - 3_600_000));
    expect((await states(meter)).map((run) => run['error_code'])).toEqual([
      'CREDENTIALS_REJECTED',
      'WRONG_PASSWORD',
      'WRONG_PASSWORD',
    ]);
  });

  it('has the runs of later slots fail at once, until it is cleared', async () => {
    const { pool } = test.database;
    const meter = await insertMeter(pool, 'm', { credentials_rejected_at: new Date() });
    await due(meter);
    expect(await query('select state, error_code, error_message, finished_at from task_run')).toEqual([
      {
        ...FAILED_BY_REJECTION,
        error_message: expect.stringContaining('clearCredentialsRejection') as string,
        finished_at: expect.any(Date) as Date,
      },
    ]);
    await query('update meter_device set credentials_rejected_at = null');
    await due(meter);
    expect(await states(meter)).toContainEqual({ state: 'pending', error_code: null });
  });
});

describe('credentials that are of no use', () => {
  it.each<[string, MeterErrorCode, string | undefined, boolean]>([
    ['that the meter refused', 'WRONG_PASSWORD', undefined, true],
    ['that no meter takes', 'BAD_CREDENTIALS', 'open lock', true],
    ['that this poller cannot open', 'BAD_CREDENTIALS', 'open credentials', false],
    ['of which nobody says why', 'BAD_CREDENTIALS', undefined, false],
    ['that are missing', 'ACCESS_DENIED', 'open lock 3', false],
  ])('%s: %s in phase %s stops the meter: %s', async (_title, code, phase, stops) => {
    const meter = await insertMeter(test.database.pool, 'm');
    await due(meter);
    const session = await claim();
    await due(meter);
    await failed(session, 0, code, phase);
    expect((await rejectedAt(meter)) !== null).toBe(stops);
    const [, other] = (await states(meter)).sort((a) => (a['error_code'] === code ? -1 : 1));
    expect(other).toEqual(stops ? FAILED_BY_REJECTION : { state: 'pending', error_code: null });
  });

  it('stop the meter once, whichever of the results of a session is booked first', async () => {
    const meter = await insertMeter(test.database.pool, 'm');
    for (let run = 0; run < 6; run++) await due(meter);
    const session = await claim();
    await Promise.all(
      session.calls.map((_call, index) => failed(session, index, index % 2 ? 'WRONG_PASSWORD' : 'TIMEOUT')),
    );
    expect((await states(meter)).map((run) => run['state'])).toEqual(Array(6).fill('failed'));
  });
});
