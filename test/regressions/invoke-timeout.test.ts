import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import type { CliIo } from '../../src/cli/io.js';
import { run } from '../../src/cli/program.js';

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
});

const RUN = {
  ...{ id: '0199aaaa-0000-7000-8000-000000000001', state: 'RUNNING', attempts: 1, errorCode: null, errorMessage: null },
  ...{ scheduledFor: '2026-01-31T09:00:00Z', notBefore: '2026-01-31T09:00:00Z', startedAt: null, finishedAt: null },
  ...{ readingCount: 0, storedCount: 0, duplicateCount: 0, revisedCount: 0, rejectedCount: 0, result: null },
};

/** An API that gives these answers in order and none after them. */
async function apiThatSays(...answers: object[]): Promise<string> {
  server = createServer((request, response) => {
    request.resume();
    const data = answers.shift();
    if (data) response.setHeader('content-type', 'application/json').end(JSON.stringify({ data }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
}

async function invoke(url: string, interrupted = new AbortController().signal) {
  const out: string[] = [];
  const notes: string[] = [];
  const io: CliIo = {
    out: (line) => void out.push(line),
    note: (line) => void notes.push(line),
    env: {},
    interrupted: () => interrupted,
  };
  const code = await run(['invoke', '--meter', 'M', '--call', 'set_time', '--timeout', '1', '--url', url], io);
  return { code, out, notes: notes.join('\n') };
}

// The time for all of it did not bound the requests: each could take half a minute more.
it('ends in time when the API does not answer at all', async () => {
  const before = performance.now();
  expect(await invoke(await apiThatSays())).toEqual({
    code: 4,
    out: [],
    notes: 'amr: After 1 s the API has not answered.',
  });
  expect(performance.now() - before).toBeLessThan(15_000);
});

it('ends in time when the API stops answering, with the state of the run and how to look later', async () => {
  const url = await apiThatSays(
    { meterDevices: { nodes: [{ id: 'm', name: 'M' }] } },
    { invokeTask: { taskRun: RUN } },
  );
  const before = performance.now();
  const { code, out, notes } = await invoke(url);
  expect(code).toBe(4);
  expect(out).toEqual([`run ${RUN.id} on M`, 'RUNNING']);
  expect(notes).toContain(`After 1 s run ${RUN.id} is RUNNING: it has not ended.`);
  expect(notes).toContain(`(${new URL('/graphiql', url).href})`);
  expect(notes).toContain(`{ taskRun(id: "${RUN.id}") { state`);
  expect(performance.now() - before).toBeLessThan(15_000);
});

it('ends at once when it is interrupted', async () => {
  expect(await invoke(await apiThatSays(), AbortSignal.abort())).toMatchObject({
    code: 130,
    notes: 'amr: No longer waiting.',
  });
});
