import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { CliIo } from '../../src/cli/io.js';
import { timeOf } from '../../src/cli/invoke.js';
import { run } from '../../src/cli/program.js';
import { isLater, isSettled, progressLine } from '../../src/cli/run-progress.js';
import { tableLines } from '../../src/cli/table.js';
import { parsePrivateKey, publicKeyOf } from '../../src/credentials.js';
import type { RunProgressFragment } from '../../src/graphql/generated/graphql.js';

async function amr(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const out: string[] = [];
  const notes: string[] = [];
  const io: CliIo = {
    out: (line) => void out.push(line),
    note: (line) => void notes.push(line),
    env,
    interrupted: () => new AbortController().signal,
  };
  const code = await run(args, io);
  return { code, out: out.join('\n'), notes: notes.join('\n') };
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('amr', () => {
  it('lists every command, examples and settings in its help', async () => {
    const { code, out } = await amr(['--help']);
    expect(code).toBe(0);
    const commands = [
      'up',
      'server',
      'scheduler',
      'poller',
      'ingester',
      'migrate',
      'keys',
      'invoke',
      'watch',
      'dead-letters',
      'import',
      'simulate',
      'compare-strategies',
    ];
    for (const command of commands) expect(out).toMatch(new RegExp(`^  ${command} `, 'm'));
    expect(out).toContain('$ amr invoke');
    expect(out).toContain('AMR_HTTP_PORT');
  });

  it('tells the version of the package', async () => {
    expect(await amr(['--version'])).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+/) as string });
  });

  it.each([
    [['watsh'], /unknown command 'watsh'[^]*Did you mean watch/],
    [['watch', '--cont', '1'], /unknown option '--cont'[^]*Did you mean --count/],
    [['poller', '--queue', 'amr.sheduled'], /Allowed choices are amr\.scheduled, amr\.on_demand, both/],
    [['poller', '--sessions', '0'], /must be a whole number from 1 to 20000/],
    [['invoke', '--call', 'set_time'], /required option '--meter <name>' not specified/],
    [['invoke', '--meter', 'M', '--call', 'c', '--kwargs', '{'], /not JSON/],
    [['invoke', '--meter', 'M', '--call', 'c', '--kwargs', '[1]'], /must be a JSON object/],
    [['invoke', '--meter', 'M', '--call', 'c', '--timeout', '1.5'], /whole number/],
    [['watch', '--url', 'localhost:4000'], /must be a URL such as http/],
    [['simulate', '--meters', 'many'], /whole number/],
    [['simulate', 'fleet', '--meters', 'many'], /whole number/],
    [['simulate', 'flete'], /'flete' is invalid for argument 'what'\. Allowed choices are fleet\./],
    [['simulate', 'fleet', 'fleet'], /too many arguments/],
    [['simulate', '--installed-at', '2026-01-31T00:00:00'], /no instant with an offset/],
    [['simulate', '--clock-deviation', '1.5'], /whole number from -/],
    [['simulate', '--profile', 'no/such.json'], /--profile no\/such\.json cannot be read: ENOENT/],
    [['simulate', 'fleet', '--profile', 'no/such.json'], /--profile no\/such\.json cannot be read: ENOENT/],
    [['simulate', '--profile', 'package.json'], /--profile package\.json: the profile: Unrecognized keys/],
    [['server', 'now'], /too many arguments/],
    [['dead-letters', '--fingerprint', 'x'], /--redrive or --discard too/],
    [['dead-letters', '--redrive'], /with --fingerprint/],
    [['dead-letters', '--fingerprint', 'x', '--redrive', '--discard'], /not both/],
    [['dead-letters', '--fingerprint', 'x', '--discard'], /with --reason/],
    [['dead-letters', '--fingerprint', 'x', '--redrive', '--rate', '0'], /whole number from 1 to 5000/],
    [['compare-strategies', '--shuffle', '1.5'], /share from 0 to 1/],
    [['compare-strategies', '--late', '0.5'], /share from 0 to 0\.25/],
    [['compare-strategies', '--rate', 'fast'], /readings per second from 1 to 1000000, or max/],
    [['compare-strategies', '--ordering', 'total'], /Allowed choices are none, per-meter, arrival/],
    [['compare-strategies', '--columns', 'a,b'], /three names, of meter, timestamp and value/],
    [['compare-strategies', '--meters', '0'], /whole number from 1/],
    [['compare-strategies'], /DATABASE_URL is not set/],
  ])('refuses %j with code 2 and the cure', async (args, told) => {
    const { code, notes } = await amr(args);
    expect(notes).toMatch(told);
    expect(code).toBe(2);
  });

  it('refuses wrong settings with code 2, before anything starts', async () => {
    const { code, notes } = await amr(['scheduler'], { AMR_HTP_PORT: '4000' });
    expect(code).toBe(2);
    expect(notes).toMatch(/did you mean AMR_HTTP_PORT/);
    expect(notes).not.toMatch(/^\s+at /m);
  });

  it.each([
    [[], 'memory:', /AMQP_URL is not set to a RabbitMQ/],
    [['no/such.csv'], 'amqp://127.0.0.1', /no\/such\.csv cannot be read: ENOENT/],
    [['--late', '0.2', '--shuffle', '0.9'], 'amqp://127.0.0.1', /together may not be more than 1/],
  ])('compares nothing with %j on %s', async (args, AMQP_URL, told) => {
    const env = { DATABASE_URL: 'postgresql://127.0.0.1/x', AMQP_URL };
    const { code, notes } = await amr(['compare-strategies', ...args], env);
    expect(notes).toMatch(told);
    expect(code).toBe(2);
  });

  it('migrates nothing without DATABASE_URL', async () => {
    expect(await amr(['migrate'])).toMatchObject({
      code: 2,
      notes: expect.stringContaining('DATABASE_URL is not set') as string,
    });
  });

  it.each([
    [['invoke', '--meter', 'M', '--call', 'set_time']],
    [['watch', '--meter', 'M']],
    [['watch']],
    [['dead-letters']],
  ])('%j ends with code 3 when there is no API', async (args) => {
    const { code, notes } = await amr([...args, '--url', `http://127.0.0.1:${await closedPort()}/graphql`]);
    expect(notes).toMatch(/amr: .*ECONNREFUSED[^]*amr up/);
    expect(code).toBe(3);
  });

  it('prints a key pair as settings', async () => {
    const { out } = await amr(['keys', 'create']);
    const [publicKey, privateKey] = ['PUBLIC', 'PRIVATE'].map(
      (half) => new RegExp(`^AMR_CREDENTIALS_${half}_KEY=(.+)$`, 'm').exec(out)![1]!,
    );
    expect(() => parsePrivateKey(privateKey!)).not.toThrow();
    expect(publicKeyOf(privateKey!)).toBe(publicKey);
  });
});

describe('the progress of a run', () => {
  const RUN: RunProgressFragment = {
    ...{
      id: 'r',
      state: 'PENDING',
      attempts: 0,
      notBefore: '2026-01-31T09:00:00.000Z',
      scheduledFor: '2026-01-31T09:00:00.000Z',
    },
    ...{ startedAt: null, finishedAt: null, readingCount: 0, storedCount: 0, duplicateCount: 0 },
    ...{ revisedCount: 0, rejectedCount: 0, errorCode: null, errorMessage: null, result: null },
  };
  const running = { ...RUN, state: 'RUNNING' as const, attempts: 1 };
  const again = {
    ...RUN,
    ...{ attempts: 1, notBefore: '2026-01-31T09:00:30.000Z', errorCode: 'TIMEOUT', errorMessage: 'no reply' },
  };
  const succeeded = { ...running, state: 'SUCCEEDED' as const, readingCount: 3 };

  it('goes on when a run is tried again, and never back when news overtakes', () => {
    expect(isLater(running, RUN)).toBe(true);
    expect(isLater(RUN, running)).toBe(false);
    expect(isLater(again, running)).toBe(true);
    expect(isLater(running, again)).toBe(false);
    expect(isLater({ ...again, state: 'DISPATCHED', attempts: 2 }, again)).toBe(true);
    expect(isLater(succeeded, running)).toBe(true);
    expect(isLater(running, succeeded)).toBe(false);
  });

  it('is settled once every reading is stored, known, revised or rejected', () => {
    expect(isSettled(running)).toBe(false);
    expect(isSettled({ ...succeeded, storedCount: 2 })).toBe(false);
    expect(isLater({ ...succeeded, storedCount: 2 }, succeeded)).toBe(true);
    const all = { ...succeeded, storedCount: 1, duplicateCount: 1, rejectedCount: 1 };
    expect(isSettled(all)).toBe(true);
    expect(progressLine(all)).toBe('SUCCEEDED: 3 readings read, 1 stored, 1 known already, 1 rejected');
    expect(isSettled({ ...running, state: 'FAILED' })).toBe(true);
    expect(progressLine({ ...succeeded, readingCount: 1 })).toBe('SUCCEEDED: 1 reading read');
  });

  it('says why a run waits or failed', () => {
    expect(progressLine(again)).toBe('PENDING again, not before 2026-01-31T09:00:30.000Z: TIMEOUT no reply');
    expect(progressLine({ ...again, state: 'FAILED', attempts: 3 })).toBe('FAILED (attempt 3): TIMEOUT no reply');
  });
});

describe('the readings of an invocation', () => {
  const run = {
    startedAt: '2026-01-31T09:00:00.000Z',
    finishedAt: '2026-01-31T09:00:10.000Z',
    notBefore: '2026-01-31T09:00:00.000Z',
  };
  const iso = ({ from, to }: { from: number; to: number }) => [
    new Date(from).toISOString(),
    new Date(to).toISOString(),
  ];

  it('are of the time that was asked for, with a margin for the clock of the meter', () => {
    expect(iso(timeOf(run, {}))).toEqual(['2026-01-31T08:58:00.000Z', '2026-01-31T09:02:10.000Z']);
    expect(iso(timeOf(run, { offset_seconds: 3600 }))[0]).toBe('2026-01-31T07:58:00.000Z');
    expect(iso(timeOf(run, { start_date: '2026-01-01T00:00:00+01:00', end_date: '2026-01-02T00:00:00Z' }))).toEqual([
      '2025-12-31T23:00:00.000Z',
      '2026-01-02T00:00:00.001Z',
    ]);
  });

  it('stand in columns', () => {
    expect(tableLines(['A', 'LONG', ''], [['wide cell', '1', 'm3']])).toEqual([
      'A          LONG',
      'wide cell  1     m3',
    ]);
  });
});
