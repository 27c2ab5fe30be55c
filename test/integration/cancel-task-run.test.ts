import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MeterErrorCode } from '../../src/errors.js';
import { CancelTaskRunDocument, type CancelTaskRunMutation } from '../../src/graphql/generated/graphql.js';
import { ACK, type Broker, type Delivery } from '../../src/messaging/broker.js';
import {
  ControlMessage,
  decode,
  encode,
  RunsChangedMessage,
  type PollSessionMessage,
  type ResultMessage,
} from '../../src/messaging/contracts.js';
import { repeatCancelRequests } from '../../src/services/cancel-requests.js';
import { claimSessions, dueMeters } from '../../src/services/claim.js';
import { endLeases } from '../../src/services/leases.js';
import { ResultsBook } from '../../src/services/results.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { silentLog, testBrokers } from '../support/broker.js';
import { insertDueRun, insertMeter } from '../support/rows.js';

const timings = { startByMs: 60_000, sessionCapMs: 60_000 };

describe('cancelTaskRun', () => {
  const brokers = testBrokers('memory:');
  let broker: Broker;
  let api: TestApi;
  /** Runs that pollers were told of, message by message. */
  let told: string[][];
  /** Runs that listeners were told of. */
  let announced: string[];

  beforeAll(async () => {
    broker = await brokers.open();
    api = await createTestApi(broker);
    await broker.listen('amr.control', (body) => {
      const decoded = decode(ControlMessage, body);
      if (decoded.ok && decoded.message.type === 'cancel_runs') told.push(decoded.message.runs);
    });
    await broker.listen('runs.changed', (body) => {
      const decoded = decode(RunsChangedMessage, body);
      if (decoded.ok) announced.push(...decoded.message.runs);
    });
  });
  afterAll(async () => {
    await api?.drop();
    await brokers.dispose();
  });
  beforeEach(async () => {
    await api.database.pool.query('truncate task_run, poll_session, meter_device, network_interface cascade');
    told = [];
    announced = [];
  });

  const query = async (sql: string, parameters: unknown[] = []) =>
    (await api.database.pool.query(sql, parameters)).rows as Record<string, unknown>[];
  const cancel = async (id: string) =>
    (await api.run<CancelTaskRunMutation>(String(CancelTaskRunDocument), { id })).cancelTaskRun.taskRun;
  const state = async (id: string) =>
    (await query('select state, error_code, error_message from task_run where id = $1', [id]))[0]!;
  const report = (message: ResultMessage) => {
    const delivery: Delivery = {
      body: encode(message),
      redelivered: false,
      messageId: undefined,
      publishedAt: undefined,
      headers: {},
    };
    const book = new ResultsBook(api.database.pool, broker, timings, silentLog, new AbortController().signal);
    return book.handle(delivery);
  };
  const ended = ({ session }: PollSessionMessage, run: string, code?: MeterErrorCode) =>
    report({
      type: 'run_finished',
      session,
      run,
      ok: code === undefined,
      reading_count: 3,
      error: code && { code, message: 'as it went', phase: 'read archive 3' },
    });
  /** A run that waits. */
  const pending = async () => insertDueRun(api.database.pool, await insertMeter(api.database.pool, randomUUID()));
  const due = () => dueMeters(api.database.pool, 'amr.scheduled', timings);
  const claim = async (candidates = due()) =>
    claimSessions(api.database.pool, 'amr.scheduled', await candidates, timings);
  /** A run in the hands of a poller. */
  const dispatched = async () => {
    const run = await pending();
    const [session] = await claim();
    return { run, session: session! };
  };
  /** Gives broadcasts that are under way the time to arrive: the in-process broker hands over in the next turn. */
  const arrived = () => new Promise((resolve) => setImmediate(resolve));

  it('ends a run that waits, at once, and no poller is sent to the meter', async () => {
    const run = await pending();
    expect(await cancel(run)).toMatchObject({
      state: 'CANCELLED',
      errorCode: 'CANCELLED',
      errorMessage: 'cancelled before it was sent to a poller',
      finishedAt: expect.any(String) as string,
      cancelRequestedAt: expect.any(String) as string,
    });
    expect(await claim()).toEqual([]);
    await arrived();
    expect(told).toEqual([]);
    expect(announced).toContain(run);
  });

  it('says of a run that waits for another try what the last one said', async () => {
    const { run, session } = await dispatched();
    await ended(session, run, 'TIMEOUT');
    expect(await cancel(run)).toMatchObject({
      state: 'CANCELLED',
      errorMessage:
        'cancelled before it was sent to a poller again; the last of 1 tries said: read archive 3: as it went',
    });
  });

  it('either ends a run or asks its poller when the dispatcher claims at the same moment', async () => {
    for (let round = 0; round < 20; round++) {
      const run = await pending();
      const candidates = await due();
      expect(candidates).toHaveLength(1);
      const [answer, sessions] = await Promise.all([cancel(run), claim(Promise.resolve(candidates))]);
      const wasSent = sessions.length === 1;
      expect(answer.state).toBe(wasSent ? 'DISPATCHED' : 'CANCELLED');
      await arrived();
      expect(told.flat().includes(run)).toBe(wasSent);
    }
  });

  it('asks the poller that carries a run; the run keeps its state until the poller confirms', async () => {
    const { run, session } = await dispatched();
    const first = await cancel(run.toUpperCase());
    expect(first).toMatchObject({ state: 'DISPATCHED', cancelRequestedAt: expect.any(String) as string });
    await arrived();
    expect(told).toEqual([[run]]);

    await report({ type: 'session_started', session: session.session });
    expect(await cancel(run)).toMatchObject({ state: 'RUNNING', cancelRequestedAt: first.cancelRequestedAt });
    await ended(session, run, 'CANCELLED');
    expect(await cancel(run)).toMatchObject({
      state: 'CANCELLED',
      readingCount: 3,
      errorCode: 'CANCELLED',
      errorMessage: 'read archive 3: as it went',
      finishedAt: expect.any(String) as string,
    });
  });

  it('leaves a run what it became meanwhile', async () => {
    const { run, session } = await dispatched();
    await cancel(run);
    await ended(session, run);
    expect(await state(run)).toMatchObject({ state: 'succeeded', error_code: null });
    // The next comes too late, and changes nothing.
    await ended(session, run, 'CANCELLED');
    expect(await state(run)).toMatchObject({ state: 'succeeded' });

    const other = await dispatched();
    await cancel(other.run);
    await ended(other.session, other.run, 'WRONG_PASSWORD');
    expect(await state(other.run)).toMatchObject({ state: 'failed', error_code: 'WRONG_PASSWORD' });
  });

  it.each<MeterErrorCode>(['TIMEOUT', 'LOST'])(
    'ends a run whose try failed with %s instead of another try',
    async (code) => {
      const { run, session } = await dispatched();
      await cancel(run);
      await ended(session, run, code);
      expect(await state(run)).toEqual({
        state: 'cancelled',
        error_code: 'CANCELLED',
        error_message: 'cancelled; its last try said: read archive 3: as it went',
      });
    },
  );

  it('ends a run whose session vanished when the lease ends', async () => {
    const { run } = await dispatched();
    await cancel(run);
    await query(`update poll_session set lease_until = now() - interval '1 second'`);
    expect(await endLeases(api.database.pool, broker)).toBe(1);
    expect(await state(run)).toMatchObject({
      state: 'cancelled',
      error_message: expect.stringContaining('no poller runs') as string,
    });
  });

  it('tells the pollers again of each run that none has confirmed, in messages of bounded size', async () => {
    const { pool } = api.database;
    const { run } = await dispatched();
    await dispatched();
    await cancel(run);
    await query(
      `insert into task_run (id, scheduled_for, organization_id, origin, state, meter_device_id, meter_execution_type, task_call, task_kwargs,
         not_before, deadline, cancel_requested_at)
       select uuid_v7_at(now()), now(), organization_id, origin, 'running', meter_device_id, meter_execution_type, task_call, task_kwargs,
         not_before, deadline, now() from task_run, generate_series(1, 999) where id = $1`,
      [run],
    );
    await arrived();
    told = [];
    expect(await repeatCancelRequests(pool, broker)).toBe(1_000);
    await arrived();
    expect(told.map(({ length }) => length)).toEqual([500, 500]);
    expect(new Set(told.flat()).size).toBe(1_000);
    expect(told.flat()).toContain(run);
    await query('analyze task_run');
    const client = await pool.connect();
    try {
      // So few rows would rather be read one after another.
      await client.query('begin; set local enable_seqscan = off');
      const plan = await client.query(
        `explain select id from task_run where state in ('dispatched', 'running') and cancel_requested_at is not null
         and id > '00000000-0000-0000-0000-000000000000' order by id limit 500`,
      );
      // By the index of just these runs, or there would be something to filter.
      expect(JSON.stringify(plan.rows)).not.toContain('Filter');
    } finally {
      await client.query('rollback');
      client.release();
    }
  });

  it.each(['succeeded', 'failed', 'expired'])('refuses a run that has %s', async (final) => {
    const run = await pending();
    await query('update task_run set state = $2, finished_at = now() where id = $1', [run, final]);
    expect(await api.failure(String(CancelTaskRunDocument), { id: run })).toMatchObject({
      code: 'CONFLICT',
      field: 'input.id',
      message: `The run is ${final.toUpperCase()} and cannot be cancelled any more.`,
    });
  });

  it('returns a run that is cancelled already as it is', async () => {
    const run = await pending();
    const first = await cancel(run);
    announced = [];
    expect(await cancel(run)).toEqual(first);
    await arrived();
    expect(announced).toEqual([]);
  });

  it('does not find what does not exist, nor what belongs to somebody else', async () => {
    for (const id of ['nonsense', randomUUID(), '0199a4b2-7c1e-7d44-9b1c-2f6d0f3a5e11']) {
      expect(await api.failure(String(CancelTaskRunDocument), { id })).toMatchObject({
        code: 'NOT_FOUND',
        field: 'input.id',
      });
    }
    const run = await pending();
    await expect(api.run(String(CancelTaskRunDocument), { id: run }, randomUUID())).rejects.toThrow('no TaskRun');
    expect(await state(run)).toMatchObject({ state: 'pending' });
  });

  it('counts the word of a poller that gives runs back once, though it comes twice', async () => {
    const { run, session } = await dispatched();
    await ended(session, run, 'LOST');
    expect(await ended(session, run, 'LOST')).toEqual(ACK);
    expect(await query('select state, attempts, lost_tries, reading_count from task_run')).toEqual([
      { state: 'pending', attempts: 1, lost_tries: 1, reading_count: 3 },
    ]);
  });
});
