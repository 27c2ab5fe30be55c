import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ReadingOrigin } from '../../src/domain/enums.js';
import { PublishError, type PublishOptions } from '../../src/messaging/broker.js';
import type { NewMeterReadingMessage, ResultMessage } from '../../src/messaging/contracts.js';
import type { QueueName } from '../../src/messaging/topology.js';
import { ReadingPublisher } from '../../src/services/reading-publisher.js';

type Report = Extract<ResultMessage, { type: 'published' }>;
interface Sent {
  queue: QueueName;
  body: unknown;
  options: PublishOptions | undefined;
  confirm: () => void;
  fail: () => void;
}

const START = Date.UTC(2026, 0, 31, 9, 0, 30);
const NORTH: string = randomUUID();
const SOUTH: string = randomUUID();
let sent: Sent[];
let publisher: ReadingPublisher;

beforeEach(() => {
  vi.useFakeTimers({ now: START });
  sent = [];
  const broker = {
    publish: (queue: QueueName, body: Buffer, options?: PublishOptions) =>
      new Promise<void>((confirm, reject) => {
        const fail = () => reject(new PublishError('not confirmed'));
        sent.push({ queue, body: JSON.parse(body.toString()), options, confirm, fail });
      }),
  };
  publisher = new ReadingPublisher(broker, pino({ level: 'silent' }));
});
afterEach(() => vi.useRealTimers());

const of = (queue: QueueName) => sent.filter((publish) => publish.queue === queue);
const reports = () => of('amr.results').map(({ body }) => (body as Report).minutes);
const last = () => sent.at(-1)!;
const message = (readings: number, organization = NORTH): NewMeterReadingMessage => ({
  ...{
    version: 1,
    message_id: randomUUID(),
    organization,
    meter_device: randomUUID(),
    origin: ReadingOrigin.SCHEDULED,
  },
  collected_at: '2026-01-31T09:00:00Z',
  readings: Array.from({ length: readings }, () => ({ series: 's', timestamp: '2026-01-31T09:00:00Z', value: '1' })),
});
/** Publishes and has it confirmed. */
const publish = async (readings: number, organization?: string) => {
  const done = publisher.publish(message(readings, organization));
  last().confirm();
  await done;
};
/** Stops; every report is confirmed. */
const stop = async () => {
  const stopped = publisher.stop();
  // One may be under way; the last one follows it.
  for (const _ of [1, 2]) {
    for (const { confirm } of of('amr.results')) confirm();
    await vi.advanceTimersByTimeAsync(0);
  }
  await stopped;
};
const minute = (minutes: number) => new Date(Date.UTC(2026, 0, 31, 9, minutes)).toISOString();

it('stamps what it publishes with itself and the time, under the id of the message', async () => {
  await publish(1);
  const [{ body, options }] = of('readings.new') as [Sent];
  const { publisher: id, published_at: at, message_id } = body as NewMeterReadingMessage;
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(at).toBe(new Date(START).toISOString());
  expect(options?.messageId).toBe(message_id);
  await stop();
  expect((of('amr.results')[0]!.body as Report).publisher).toBe(id);
});

it('reports totals by organization and minute, and only what changed', async () => {
  await publish(3);
  await publish(4);
  await publish(5, SOUTH);
  await vi.advanceTimersByTimeAsync(10_000);
  last().confirm();
  await publish(2);
  await vi.advanceTimersByTimeAsync(10_000);
  last().confirm();
  const open = { minute: minute(0), closed: false };
  expect(reports()).toEqual([
    [
      { ...open, organization: NORTH, readings: 7 },
      { ...open, organization: SOUTH, readings: 5 },
    ],
    [{ ...open, organization: NORTH, readings: 9 }],
  ]);
});

it('closes a minute when it is over, and begins the next', async () => {
  await publish(3);
  await vi.advanceTimersByTimeAsync(10_000);
  last().confirm();
  await vi.advanceTimersByTimeAsync(20_000);
  last().confirm();
  await publish(1);
  await vi.advanceTimersByTimeAsync(10_000);
  last().confirm();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(reports()).toEqual([
    [{ organization: NORTH, minute: minute(0), readings: 3, closed: false }],
    [{ organization: NORTH, minute: minute(0), readings: 3, closed: true }],
    [{ organization: NORTH, minute: minute(1), readings: 1, closed: false }],
  ]);
});

it('does not close a minute while a publish of it is outstanding', async () => {
  await publish(1);
  const slow = publisher.publish(message(2));
  const { confirm } = last();
  await vi.advanceTimersByTimeAsync(40_000);
  for (const report of of('amr.results')) report.confirm();
  expect(
    reports()
      .flat()
      .map(({ closed }) => closed),
  ).not.toContain(true);
  confirm();
  await slow;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(reports().at(-1)).toEqual([{ organization: NORTH, minute: minute(0), readings: 3, closed: true }]);
});

it('makes a report again that was not confirmed', async () => {
  await publish(3);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(last().options?.confirmTimeoutMs).toBe(10_000);
  last().fail();
  await vi.advanceTimersByTimeAsync(10_000);
  last().confirm();
  await vi.advanceTimersByTimeAsync(9_000);
  const report = [{ organization: NORTH, minute: minute(0), readings: 3, closed: false }];
  expect(reports()).toEqual([report, report]);
});

it('makes the report that closes a minute again until it is confirmed', async () => {
  await publish(3);
  await vi.advanceTimersByTimeAsync(30_000);
  for (const report of of('amr.results')) report.fail();
  await vi.advanceTimersByTimeAsync(10_000);
  last().confirm();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(reports().slice(-1)).toEqual([[{ organization: NORTH, minute: minute(0), readings: 3, closed: true }]]);
  expect(reports()).toHaveLength(2);
});

it('never closes a minute with a publish that failed: its message may have arrived', async () => {
  await publish(3);
  const failing = publisher.publish(message(2));
  last().fail();
  await expect(failing).rejects.toThrow('not confirmed');
  await vi.advanceTimersByTimeAsync(60_000);
  await stop();
  expect(reports().flat()).toContainEqual({ organization: NORTH, minute: minute(0), readings: 3, closed: false });
  expect(
    reports()
      .flat()
      .map(({ closed }) => closed),
  ).not.toContain(true);
});

it('closes what is open with the last report, which fails no stop', async () => {
  await publish(3);
  const stopped = publisher.stop();
  await vi.advanceTimersByTimeAsync(0);
  expect(last().options?.confirmTimeoutMs).toBe(2_000);
  last().fail();
  await expect(stopped).resolves.toBeUndefined();
  expect(reports()).toEqual([[{ organization: NORTH, minute: minute(0), readings: 3, closed: true }]]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(reports()).toHaveLength(1);
});

it('never publishes into a minute that is over, though the clock is set back', async () => {
  await vi.advanceTimersByTimeAsync(30_000);
  await publish(1);
  vi.setSystemTime(START);
  await publish(1);
  expect(of('readings.new').map(({ body }) => (body as NewMeterReadingMessage).published_at?.slice(11, 16))).toEqual([
    '09:01',
    '09:01',
  ]);
});
