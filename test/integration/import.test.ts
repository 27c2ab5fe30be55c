import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { startAmr, type AmrProcess } from '../support/processes.js';
import { testBrokers } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { insertMeter } from '../support/rows.js';

const amqpUrl = inject('amqpUrl');
const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url));
const sample = (name: string) => fileURLToPath(new URL(`../vectors/imports/${name}`, import.meta.url));

describe.skipIf(!amqpUrl)('an import through RabbitMQ, an ingester and PostgreSQL', () => {
  const brokers = testBrokers(amqpUrl ?? 'memory:');
  let db: TestDatabase;
  let ingester: AmrProcess;
  let folder: string;
  const env = () => ({
    DATABASE_URL: db.url,
    AMQP_URL: brokers.config.amqpUrl,
    AMR_QUEUE_PREFIX: brokers.config.queuePrefix,
    AMR_HEALTH_PORT: '0',
  });

  beforeAll(async () => {
    db = await createTestDatabase();
    await brokers.open();
    ingester = startAmr(['ingester'], env());
    await ingester.says(/ready: ingester/);
  });
  afterAll(async () => {
    await ingester?.stop();
    await brokers.dispose();
    await db?.drop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'amr-import-'))));

  /** The command to its end. */
  const amr = (...args: string[]) =>
    new Promise<{ code: number; out: string }>((resolve) => {
      const options = { env: { PATH: process.env['PATH'], ...env() }, timeout: 60_000 };
      execFile(process.execPath, [CLI, 'import', ...args], options, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, out: stdout + stderr }),
      );
    });
  const stored = async (meter: string) => {
    const { rows } = await db.database.pool.query<{ line: string }>(
      `select concat_ws(' ', s.name, to_char(r.measured_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI'), trim_scale(r.value), r.quality, r.origin) as line
         from meter_reading r join register g on g.id = r.register_id join series s on s.id = g.series_id
         join meter_device m on m.id = g.meter_device_id where m.name = $1 order by s.name, r.measured_at`,
      [meter],
    );
    return rows.map(({ line }) => line);
  };
  const copy = (name: string) => {
    const file = join(folder, name);
    copyFileSync(sample(name), file);
    return file;
  };

  it(
    'stores what the file says, the repeated hour twice; the same again changes nothing',
    { timeout: 60_000 },
    async () => {
      await insertMeter(db.database.pool, '7MIT1234567890');
      const file = copy('fluvius-gas.csv');
      const rows = readFileSync(file, 'utf8').trimEnd().split(/\r?\n/).slice(1);
      const first = await amr(file, '--profile', 'fluvius-gas');
      expect(first).toMatchObject({
        code: 0,
        out: expect.stringContaining(`sent and confirmed ${rows.length} readings`) as string,
      });
      await vi.waitFor(async () => expect(await stored('7MIT1234567890')).toHaveLength(rows.length), {
        timeout: 15_000,
      });
      const before = await stored('7MIT1234567890');
      // 02:00 comes twice on 2023-10-29: as +02:00 and as +01:00, each stamped at the end of its hour.
      for (const at of ['2023-10-29T01:00', '2023-10-29T02:00'])
        expect(before).toContain(`gas.volume.interval ${at} 0 0 4`);
      const again = await amr(file, '--profile', 'fluvius-gas');
      expect(again.code).toBe(0);
      await vi.waitFor(
        async () => {
          const { rows: booked } = await db.database.pool.query<{ sum: string | null }>(
            'select (select coalesce(sum(duplicate), 0) from reading_outcome) + (select coalesce(sum(duplicate), 0) from loss_minute) as sum',
          );
          expect(Number(booked[0]!.sum)).toBe(rows.length);
        },
        { timeout: 15_000 },
      );
      expect(await stored('7MIT1234567890')).toEqual(before);
      expect(existsSync(`${file}.progress.json`)).toBe(false);
    },
  );

  it('sends what is right and lists what is wrong, with code 1', async () => {
    await insertMeter(db.database.pool, 'wrong rows');
    const file = join(folder, 'rows.csv');
    writeFileSync(
      file,
      'time,Total gas used\n2025-03-30 01:45,1.5\n2025-03-30 02:15,2\n\n2025-03-30 03:00,x\n2025-03-30 03:15,\n',
    );
    const { code, out } = await amr(file, '--profile', 'homewizard-gas', '--meter', 'wrong rows');
    expect(out).toMatch(/line 3, time: "2025-03-30 02:15" does not exist in Europe\/Amsterdam/);
    expect(out).toMatch(/line 5, Total gas used: "x" is no number/);
    expect(out).toMatch(/rows 4, readings 1 of 1 meters, blank values 1, rows left out 0, rows with errors 2/);
    expect(code).toBe(1);
    expect(readFileSync(`${file}.errors.csv`, 'utf8').split('\n')).toHaveLength(4);
    await vi.waitFor(async () => expect(await stored('wrong rows')).toEqual(['7-0:3.0.0 2025-03-30T00:45 1.5 0 4']), {
      timeout: 15_000,
    });
  });

  it('killed in the middle it goes on, and what is stored is the file', { timeout: 120_000 }, async () => {
    await Promise.all(['K1', 'K2', 'K3'].map((name) => insertMeter(db.database.pool, name)));
    const file = join(folder, 'long.csv');
    const ROWS = 300_000;
    const start = Date.UTC(2020, 0, 1);
    const lines = Array.from({ length: ROWS }, (_, row) => {
      const at = new Date(start + Math.floor(row / 3) * 60_000).toISOString().slice(0, 19).replace('T', ' ');
      return `K${(row % 3) + 1},${at},${row}.5`;
    });
    writeFileSync(file, `meter_id,interval_ts,kwh\n${lines.join('\n')}\n`);
    const killed = startAmr(['import', file, '--profile', 'london-lcl'], env());
    const readProgress = () =>
      JSON.parse(readFileSync(`${file}.progress.json`, 'utf8')) as { messages: number; rows: number };
    await vi.waitFor(() => expect(readProgress().messages).toBeGreaterThan(0), { timeout: 30_000, interval: 20 });
    await killed.kill();
    const progress = readProgress();
    expect(progress.rows).toBeLessThan(ROWS);
    const { code, out } = await amr(file, '--profile', 'london-lcl', '--resume');
    expect(out).toMatch(/Going on behind \d+ rows/);
    expect(out).toMatch(new RegExp(`${progress.messages * 1000} in an earlier try`));
    expect(code).toBe(0);
    const sums = `select m.name, count(*)::int as count, sum(r.value)::text as sum, min(r.measured_at) as first, max(r.measured_at) as last
      from meter_reading r join register g on g.id = r.register_id join meter_device m on m.id = g.meter_device_id
      where m.name like 'K_' group by 1 order by 1`;
    const each = ROWS / 3;
    const expected = [0, 1, 2].map((offset) => ({
      name: `K${offset + 1}`,
      count: each,
      sum: `${(3 * each * (each - 1)) / 2 + offset * each + each / 2}.0`,
      first: new Date(start),
      last: new Date(start + (each - 1) * 60_000),
    }));
    await vi.waitFor(async () => expect((await db.database.pool.query(sums)).rows).toEqual(expected), {
      timeout: 60_000,
      interval: 500,
    });
  });
});
