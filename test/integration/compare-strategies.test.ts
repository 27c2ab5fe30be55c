import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from 'amqplib';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { ComparisonReport } from '../../src/comparison/report.js';
import { removeLeftOvers } from '../../src/scratch/scratch.js';

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url));
const SMALL = ['--meters', '20', '--readings', '400', '--burst-seconds', '30', '--timeout', '60'];
const amqpUrl = inject('amqpUrl');
const databaseUrl = inject('databaseUrl');

describe.skipIf(!amqpUrl || !databaseUrl)('amr compare-strategies (needs RabbitMQ)', () => {
  let server: pg.Client;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'amr-compare-'));
    server = new pg.Client({ connectionString: databaseUrl! });
    await server.connect();
  });
  afterAll(async () => {
    await server.end();
    await rm(folder, { recursive: true });
  });

  function start(args: readonly string[], env: Record<string, string> = {}) {
    const child = spawn(process.execPath, [CLI, 'compare-strategies', ...args], {
      env: { PATH: process.env['PATH'], DATABASE_URL: databaseUrl!, AMQP_URL: amqpUrl!, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { out: '', notes: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.notes += text));
    const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...said }));
    return { child, said, ended };
  }

  /** Scratch databases, other than those that were there before. */
  async function databases(): Promise<string[]> {
    const { rows } = await server.query<{ datname: string }>(
      `select datname from pg_database where datname like 'amr\\_compare\\_%'`,
    );
    return rows.map(({ datname }) => datname);
  }
  async function newDatabase(before: readonly string[]): Promise<string> {
    return vi.waitFor(
      async () => {
        const name = (await databases()).find((candidate) => !before.includes(candidate));
        expect(name).toBeDefined();
        return name!;
      },
      { timeout: 20_000, interval: 50 },
    );
  }

  async function hasQueues(database: string): Promise<boolean> {
    const id = database.slice(-32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    const connection = await connect(amqpUrl!);
    try {
      const channel = await connection.createChannel();
      channel.on('error', () => undefined); // a queue that is not there closes the channel
      return await channel.checkQueue(`compare-${id}.readings.new`).then(
        () => true,
        () => false,
      );
    } finally {
      await connection.close();
    }
  }

  /** Processes that `parent` started, from /proc. */
  async function childrenOf(parent: number): Promise<number[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
    return pids.filter((_, index) => Number(/\) \S (\d+)/.exec(stats[index]!)?.[1]) === parent).map(Number);
  }

  it('measures all three on the same disturbed load, and leaves nothing behind', { timeout: 150_000 }, async () => {
    const before = await databases();
    const [json, html] = [join(folder, 'report.json'), join(folder, 'report.html')];
    const disturbances = ['--shuffle', '0.2', '--duplicates', '0.1', '--late', '0.1', '--poison', '0.05'];
    const run = start([...SMALL, ...disturbances, '--rate', '200', '--json', json, '--html', html]);
    const { code, out, notes } = await run.ended;
    expect(code, notes).toBe(0);
    expect(out).toMatch(/^Choose (hybrid|async|sequential)/m);

    const report = ComparisonReport.parse(JSON.parse(await readFile(json, 'utf8')));
    expect(report.load).toMatchObject({
      meters: 20,
      readings: 460,
      shuffled: 80,
      duplicates: 40,
      late: 40,
      poison: 20,
    });
    expect(report.statesAgree).toBe(true);
    const [sequential, hybrid, parallel] = report.strategies;
    expect(sequential).toMatchObject({ strategy: 'sequential', readings: 460, stored: 400 });
    for (const of of report.strategies)
      expect(of).toMatchObject({
        readings: 460,
        stored: 400,
        duplicates: 40,
        deadLettered: 20,
        unaccounted: 0,
        differences: [],
      });
    expect(new Set([sequential!.digest, hybrid!.digest, parallel!.digest]).size).toBe(1);
    for (const of of report.strategies) {
      expect(of.throughput).toBeGreaterThan(1);
      expect(of.pacedLatency!.p50).toBeGreaterThan(0);
      expect(of.pacedLatency!.max).toBeGreaterThanOrEqual(of.pacedLatency!.p99);
      expect(of.peakMemoryBytes).toBeGreaterThan(20e6);
      expect(Object.keys(of.stepSeconds)).toEqual(expect.arrayContaining(['validate', 'enrich', 'store']));
    }
    // One after another, in order of arrival, is the promise.
    expect(sequential!.inversions).toEqual({ perMeter: 0, overall: 0 });
    expect(await readFile(html, 'utf8')).toContain('<svg');
    expect(await databases()).toEqual(before);
  });

  it('reads a file', { timeout: 100_000 }, async () => {
    const run = start(['test/vectors/london-sample.csv', '--zone', 'UTC', '--rate', 'max', '--max-latency', '60000']);
    const { code, out, notes } = await run.ended;
    expect(code, notes).toBe(0);
    expect(out).toContain('london-sample.csv');
    expect(out).toMatch(/3 meters every 1,800 s/);
  });

  it('removes everything at Ctrl-C', { timeout: 60_000 }, async () => {
    const before = await databases();
    const run = start([...SMALL, '--rate', '1']);
    const database = await newDatabase(before);
    await vi.waitFor(async () => expect(await hasQueues(database)).toBe(true), { timeout: 20_000 });
    run.child.kill('SIGINT');
    const { code, notes } = await run.ended;
    expect(code, notes).toBe(130);
    expect(await databases()).toEqual(before);
    expect(await hasQueues(database)).toBe(false);
  });

  it.skipIf(process.platform !== 'linux')(
    'removes everything when an ingester is killed, and says so',
    { timeout: 60_000 },
    async () => {
      const before = await databases();
      const run = start([...SMALL, '--rate', '1']);
      const database = await newDatabase(before);
      await vi.waitFor(async () => expect(await hasQueues(database)).toBe(true), { timeout: 20_000 });
      const ingester = await vi.waitFor(async () => {
        const [pid] = await childrenOf(run.child.pid!);
        expect(pid).toBeDefined();
        return pid!;
      });
      process.kill(ingester, 'SIGKILL');
      const { code, notes } = await run.ended;
      expect(code).toBe(1);
      expect(notes).toMatch(/amr ingester ended with/);
      expect(await databases()).toEqual(before);
    },
  );

  it.skipIf(process.platform !== 'linux')(
    'killed itself, takes its ingesters along, and the next run removes the rest',
    { timeout: 90_000 },
    async () => {
      const before = await databases();
      const run = start([...SMALL, '--rate', '1']);
      const database = await newDatabase(before);
      const ingester = await vi.waitFor(
        async () => {
          const [pid] = await childrenOf(run.child.pid!);
          expect(pid).toBeDefined();
          return pid!;
        },
        { timeout: 20_000 },
      );
      await vi.waitFor(async () => expect(await hasQueues(database)).toBe(true), { timeout: 20_000 });
      const servers = { databaseUrl: databaseUrl!, amqpUrl: amqpUrl! };
      const inAMinute = () => Date.now() + 120_000;
      expect(await removeLeftOvers('compare', servers, inAMinute())).not.toContain(database);
      run.child.kill('SIGKILL');
      await run.ended;
      await vi.waitFor(() => expect(() => process.kill(ingester, 0)).toThrow(), { timeout: 45_000 });
      expect(await databases()).toContain(database);
      await vi.waitFor(
        async () => {
          await removeLeftOvers('compare', servers, inAMinute());
          expect(await databases()).not.toContain(database);
        },
        { timeout: 10_000 },
      );
      expect(await hasQueues(database)).toBe(false);
    },
  );

  it('tells a user who may not create databases how to be allowed to', async () => {
    const role = `amr_test_${randomUUID().replaceAll('-', '')}`;
    await server.query(`create role ${role} login password 'secret'`);
    try {
      const url = Object.assign(new URL(databaseUrl!), { username: role, password: 'secret' }).href;
      const { code, notes } = await start(SMALL, { DATABASE_URL: url }).ended;
      expect(notes).toContain(`alter role "${role}" createdb`);
      expect(code).toBe(2);
    } finally {
      await server.query(`drop role ${role}`);
    }
  });
});
