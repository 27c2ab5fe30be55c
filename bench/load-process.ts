import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { own } from '../src/scratch/owned.js';
import type { LoadOrder, LoadResult } from './http-load.js';

const PROGRAM = fileURLToPath(new URL('./http-load.js', import.meta.url));

/** Loads a server from a process of its own; throws when a request failed. */
export async function loadFrom(order: LoadOrder): Promise<LoadResult> {
  const child = fork(PROGRAM, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const dispose = own(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  });
  try {
    const result = once(child, 'message') as Promise<[LoadResult]>;
    const failed = once(child, 'exit').then(([code]) => {
      throw new Error(`the load ended with ${String(code)}`);
    });
    failed.catch(() => undefined);
    child.send(order);
    const [answer] = await Promise.race([result, failed]);
    return answer;
  } finally {
    await dispose();
  }
}
