import { once } from 'node:events';
import { connect } from 'node:net';
import type { SessionRequest } from '../src/execution/execution-context.js';
import { genericLis200 } from '../src/execution/generic-lis200.js';
import { ETX, LF } from '../src/protocols/iec62056-21/control.js';
import { tcpLink } from '../src/transports/tcp.js';
import type { SimulatedMeter } from './simulated-meters.js';

/** The bytes that the product sends in one session of `request` on `meter`, question by question; the last has no answer. */
export async function recordQuestions(meter: SimulatedMeter, request: SessionRequest): Promise<Uint8Array[]> {
  const questions: Uint8Array[] = [];
  const link = await tcpLink({ host: '127.0.0.1', port: meter.port, connectTimeoutMs: 5_000 })(
    new AbortController().signal,
  );
  const recording = {
    send: (bytes: Uint8Array) => {
      questions.push(bytes);
      return link.send(bytes);
    },
    receive: (timeoutMs: number) => link.receive(timeoutMs),
    destroy: () => link.destroy(),
  };
  try {
    for await (const { error } of genericLis200.run(request, {
      link: recording,
      now: Date.now,
      replyTimeoutMs: 5_000,
    })) {
      if (error) throw error;
    }
  } finally {
    link.destroy();
  }
  return questions;
}

/** Sends the same questions over plain sockets, `open` sessions at once, and reads no more of an answer than its end. Returns sessions per second. */
export async function replaySessions(
  meters: readonly SimulatedMeter[],
  questions: readonly Uint8Array[],
  sessions: number,
  open: number,
): Promise<number> {
  const started = performance.now();
  let next = 0;
  const work = async () => {
    while (next < sessions) await replay(meters[next++ % meters.length]!.port, questions);
  };
  await Promise.all(Array.from({ length: open }, work));
  return sessions / ((performance.now() - started) / 1000);
}

async function replay(port: number, questions: readonly Uint8Array[]): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  socket.setTimeout(10_000, () =>
    socket.destroy(new Error(`the meter on port ${port} did not answer the bare client`)),
  );
  let question = 0;
  socket.on('connect', () => socket.write(questions[question++]!));
  socket.on('data', (bytes) => {
    // A line, or the byte before the block check character.
    if (bytes.at(-1) !== LF && bytes.at(-2) !== ETX) return;
    socket.write(questions[question++]!);
    if (question === questions.length) socket.destroySoon();
  });
  await once(socket, 'close');
  if (question !== questions.length) throw new Error(`the meter on port ${port} hung up on the bare client`);
}
