import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { PublishError, type PublishOptions } from '../../src/messaging/broker.js';
import type { ResultMessage } from '../../src/messaging/contracts.js';
import { startHeartbeat } from '../../src/services/heartbeat.js';

const log = pino({ level: 'silent' });
let sent: { message: Extract<ResultMessage, { type: 'heartbeat' }>; options?: PublishOptions }[];
/** Settle the publishes of `sent`, in order. */
let confirms: { resolve: () => void; reject: (error: Error) => void }[];

const broker = {
  publish: (_queue: string, body: Buffer, options?: PublishOptions) => {
    sent.push({ message: JSON.parse(body.toString()) as (typeof sent)[number]['message'], options });
    return new Promise<void>((resolve, reject) => confirms.push({ resolve, reject }));
  },
};
const start = () =>
  startHeartbeat(broker, { queues: ['amr.scheduled'], maxSessions: 7, openSessions: () => sent.length }, log);

beforeEach(() => {
  sent = [];
  confirms = [];
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('is told at the start and every ten seconds, under one id', async () => {
  void start();
  for (const confirm of [0, 1]) {
    confirms[confirm]!.resolve();
    await vi.advanceTimersByTimeAsync(10_000);
  }
  expect(sent.map(({ message }) => message.open_sessions)).toEqual([0, 1, 2]);
  expect(new Set(sent.map(({ message }) => message.worker)).size).toBe(1);
  expect(sent[0]!.message).toMatchObject({
    ...{ type: 'heartbeat', kind: 'poller', pid: process.pid, queues: ['amr.scheduled'], max_sessions: 7 },
    version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
  });
});

it('does not pile up while the broker is away, and goes on when it is back', async () => {
  void start();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent).toHaveLength(1);
  expect(sent[0]!.options?.confirmTimeoutMs).toBe(10_000);
  confirms[0]!.reject(new PublishError('not confirmed'));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(sent).toHaveLength(2);
});

it('says goodbye at the stop, also while another is outstanding, and never fails it', async () => {
  const stop = start();
  const stopped = stop();
  expect(sent.map(({ message }) => message.stopped)).toEqual([undefined, true]);
  expect(sent[1]!.options?.confirmTimeoutMs).toBe(2_000);
  confirms[1]!.reject(new PublishError('not confirmed'));
  await expect(stopped).resolves.toBeUndefined();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent).toHaveLength(2);
});
