import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NetworkInterfaceKind, ReadingOrigin } from '../../src/domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { ACK } from '../../src/messaging/broker.js';
import {
  encode,
  type ControlMessage,
  type NewMeterReadingMessage,
  type PollSessionMessage,
  type ResultMessage,
} from '../../src/messaging/contracts.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { createCollection, type Collection } from '../../src/services/collection.js';
import { ReadingPublisher } from '../../src/services/reading-publisher.js';
import { startFleet, type Fleet } from '../../src/simulators/fleet.js';
import { silentLog } from '../support/broker.js';

const DAY_MS = 86_400_000;
type Published = ResultMessage | NewMeterReadingMessage;

describe('a poll session of which runs are cancelled', () => {
  let fleet: Fleet;
  /** Called with each message that reaches a meter, before it answers; counted from 1. */
  let onQuestion: (count: number) => void;
  let questions: number;
  let broker: MemoryBroker;
  let collection: Collection;
  let published: Published[];
  let onPublished: (message: Published) => void;

  beforeEach(async () => {
    questions = 0;
    onQuestion = () => undefined;
    onPublished = () => undefined;
    const now = () => {
      onQuestion(++questions);
      return Date.now();
    };
    // The first has months of archive, which take many questions to read; the second answers when all is over.
    const faults = { 1: { kind: 'delay', ms: 60_000 } } as const;
    fleet = await startFleet({ meters: 2, now, installedAt: Date.now() - 60 * DAY_MS, faults });
    questions = 0;
    broker = new MemoryBroker(silentLog);
    published = [];
    for (const queue of ['readings.new', 'amr.results'] as const) {
      await broker.consume(
        queue,
        async ({ body }) => {
          const message = JSON.parse(body.toString()) as Published;
          published.push(message);
          onPublished(message);
          return ACK;
        },
        { prefetch: 10 },
      );
    }
    const settings = { credentialsPrivateKey: undefined, replyTimeoutMs: 30_000, connectTimeoutMs: 5_000 };
    collection = createCollection(broker, new ReadingPublisher(broker, silentLog), settings, silentLog);
  });
  afterEach(async () => {
    await broker.close();
    await fleet.stop();
  });

  const ARCHIVE = ['read_archive_by_offset_seconds', { offset_seconds: 50 * 86_400 }] as const;
  const VALUE = ['read_single_value', { address: '2:300' }] as const;
  const session = (meter: number, ...calls: (typeof ARCHIVE | typeof VALUE)[]): PollSessionMessage => ({
    version: 1,
    session: randomUUID(),
    attempt: 1,
    organization: DEFAULT_ORGANIZATION_ID,
    origin: ReadingOrigin.SCHEDULED,
    meter: { id: randomUUID(), name: 'm', serial_number: fleet.meters[meter]!.serialNumber, time_zone: 'UTC' },
    connection: { kind: NetworkInterfaceKind.TCP, host: '127.0.0.1', port: fleet.meters[meter]!.port },
    calls: calls.map(([task_call, task_kwargs]) => ({
      run: uuidAt(),
      meter_execution_type: 'generic_lis200',
      task_call,
      task_kwargs,
    })),
    start_by_ms: 60_000,
    session_cap_ms: 60_000,
  });
  const deliver = (message: PollSessionMessage) =>
    collection.run({
      body: encode(message),
      redelivered: false,
      messageId: undefined,
      publishedAt: undefined,
      headers: {},
    });
  const cancel = (...runs: string[]) =>
    collection.control(encode({ type: 'cancel_runs', runs } satisfies ControlMessage));
  const runOf = (message: PollSessionMessage, index: number) => message.calls[index]!.run;
  const story = () =>
    published.map((message) => {
      if (!('type' in message)) return 'readings';
      return message.type === 'run_finished' ? (message.error?.code ?? 'ok') : message.type;
    });
  const outcomeOf = (run: string) =>
    published.find((message) => 'type' in message && message.type === 'run_finished' && message.run === run);

  it('ends in the middle of an archive: what was read is kept, and the runs behind it are sent again', async () => {
    const message = session(0, ARCHIVE, VALUE);
    onQuestion = (count) => count === 14 && cancel(runOf(message, 0));
    expect(await deliver(message)).toEqual({ kind: 'ack' });

    expect(story()).toEqual(['session_started', 'readings', 'CANCELLED', 'LOST', 'session_finished']);
    // No question came after the one during which it was cancelled, but for what was under way.
    expect(questions).toBe(14);
    const { readings } = published[1] as NewMeterReadingMessage;
    expect(readings.length).toBeGreaterThan(0);
    expect(published[2]).toMatchObject({
      run: runOf(message, 0),
      ok: false,
      reading_count: readings.length,
      error: { phase: 'read archive 3', message: 'the run was cancelled during its session' },
    });
    expect(published[3]).toMatchObject({
      run: runOf(message, 1),
      error: { message: expect.stringContaining('another run of the session was cancelled') as string },
    });
    expect(published[4]).toMatchObject({ outcome: 'done', reached: true });
  });

  it('never connects when all were cancelled before it came', async () => {
    const before = fleet.counters.connections;
    const message = session(0, ARCHIVE, VALUE);
    cancel(runOf(message, 0), runOf(message, 1));
    expect(await deliver(message)).toEqual({ kind: 'ack' });
    expect(story()).toEqual(['session_started', 'CANCELLED', 'CANCELLED', 'session_finished']);
    expect(published.at(-1)).not.toHaveProperty('reached');
    expect(fleet.counters.connections).toBe(before);
  });

  it('ends while it signs on when all are cancelled by then, and goes on while one is not', async () => {
    const message = session(1, VALUE, VALUE);
    let asked!: () => void;
    const signingOn = new Promise<void>((resolve) => (asked = resolve));
    onQuestion = () => asked();
    const running = deliver(message);
    await signingOn;
    cancel(runOf(message, 1));
    expect(collection.openSessions()).toBe(1);
    expect(story()).toEqual(['session_started']);
    cancel(runOf(message, 0));
    await running;
    expect(story()).toEqual(['session_started', 'CANCELLED', 'CANCELLED', 'session_finished']);
    expect(collection.openSessions()).toBe(0);
  });

  it('leaves out a run that was cancelled before, and carries out the others', async () => {
    const message = session(0, VALUE, VALUE);
    cancel(runOf(message, 0));
    await deliver(message);
    expect(story()).toEqual(['session_started', 'CANCELLED', 'readings', 'ok', 'session_finished']);
    expect(outcomeOf(runOf(message, 0))).toMatchObject({
      error: { message: 'the run was cancelled before its call began' },
    });
  });

  it('leaves out a run that is cancelled while another is at the meter, and tells so before it goes on', async () => {
    const message = session(0, VALUE, VALUE, VALUE);
    // Identification, programming mode, serial number, value.
    onQuestion = (count) => count === 4 && cancel(runOf(message, 1));
    await deliver(message);
    expect(story()).toEqual(['session_started', 'readings', 'ok', 'CANCELLED', 'readings', 'ok', 'session_finished']);
    expect(outcomeOf(runOf(message, 1))).toMatchObject({ error: { code: 'CANCELLED' } });
  });

  it('keeps the outcome of a call that had ended when its run was cancelled, and goes on', async () => {
    const message = session(0, VALUE, VALUE);
    onPublished = (one) => !('type' in one) && cancel(runOf(message, 0), runOf(message, 0));
    await deliver(message);
    expect(story()).toEqual(['session_started', 'readings', 'ok', 'readings', 'ok', 'session_finished']);
  });

  it('says goodbye to the meter when nothing is left to do after a call', async () => {
    const message = session(0, VALUE, VALUE);
    onPublished = (one) => !('type' in one) && cancel(runOf(message, 0), runOf(message, 1));
    let last!: () => void;
    const goodbye = new Promise<void>((resolve) => (last = resolve));
    onQuestion = (count) => count === 5 && last();
    await deliver(message);
    expect(story()).toEqual(['session_started', 'readings', 'ok', 'CANCELLED', 'session_finished']);
    await goodbye;
  });

  it('ignores what it cannot read, and runs it does not know', async () => {
    collection.control(Buffer.from('{'));
    collection.control(Buffer.from('{"type":"make_tea"}'));
    cancel(uuidAt());
    await deliver(session(0, VALUE));
    expect(story()).toEqual(['session_started', 'readings', 'ok', 'session_finished']);
  });
});
