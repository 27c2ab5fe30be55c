import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { WebSocket, WebSocketServer } from 'ws';
import type { AddressInfo } from 'node:net';
import { own } from '../src/scratch/owned.js';
import { pause } from '../src/retry.js';

/** Unsent bytes of a socket beyond which the broadcast waits, as the API does. */
const MAX_UNSENT_BYTES = 1_000_000;
const DEADLINE_MS = 120_000;

interface Job {
  sockets: number;
  perSocket: number;
  events: number;
  message: string;
}

/**
 * Messages per second of a server that does nothing but `ws.send`: the same bytes, as often, to as many sockets of this process.
 * The server is a process of its own, as the API is.
 */
export async function rawBroadcast(job: Job): Promise<number> {
  const child = fork(fileURLToPath(import.meta.url), ['serve'], { stdio: 'inherit' });
  const stop = own(async () => {
    child.kill('SIGKILL');
  });
  const [port] = (await once(child, 'message')) as [number];
  const total = job.events * job.sockets * job.perSocket;
  let seen = 0;
  let done = () => undefined as void;
  const all = new Promise<void>((resolve) => (done = resolve));
  const sockets = await Promise.all(
    Array.from({ length: job.sockets }, async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
      socket.on('message', () => {
        if (++seen === total) done();
      });
      await once(socket, 'open');
      return socket;
    }),
  );
  const started = performance.now();
  child.send(job);
  await Promise.race([all, pause(DEADLINE_MS)]);
  const seconds = (performance.now() - started) / 1000;
  for (const socket of sockets) socket.terminate();
  await stop();
  if (seen < total) throw new Error(`the raw broadcast came through with ${seen} of ${total} messages`);
  return total / seconds;
}

if (process.argv[2] === 'serve' && process.send) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.once('listening', () => process.send!((server.address() as AddressInfo).port));
  process.on('message', ({ perSocket, events, message }: Job) => {
    const bytes = Buffer.from(message);
    void (async () => {
      for (let event = 0; event < events; event++) {
        for (const socket of server.clients) {
          for (let count = 0; count < perSocket; count++) socket.send(bytes, { binary: false });
          while (socket.bufferedAmount > MAX_UNSENT_BYTES) await new Promise(setImmediate);
        }
      }
    })();
  });
}
