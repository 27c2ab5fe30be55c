import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { pino } from 'pino';
import { ensurePartition } from '../src/db/partitions.js';
import { DEFAULT_ORGANIZATION_ID } from '../src/domain/organization.js';
import { connectBroker } from '../src/messaging/connect-broker.js';
import { createScratch, type Scratch } from './scratch.js';

const METERS = 1_000;
const QUARTER_HOUR = 900_000;
const FIRST = Date.UTC(2026, 0, 1);
/** Bars to pass: share of raw COPY. */
const BARS: Record<number, number> = { 1: 0.12, 100: 0.3 };
const CLI = fileURLToPath(new URL('../src/cli.js', import.meta.url));

/**
 * Readings stored per second by one real `amr ingester` process from a filled quorum queue, for messages of one reading and of 100,
 * beside raw COPY of equal rows over one connection into the same empty partitioned, keyed table, in the same run.
 */
export async function run(options: Map<string, string>): Promise<void> {
  const readings = Number(options.get('readings') ?? 300_000);
  console.log(
    `settings: ${cpus().length} cores, Node ${process.version}, ${readings} readings, ${METERS} meters, broker and database on this machine`,
  );
  let failed = false;
  for (const perMessage of [1, 100]) {
    const scratch = await createScratch();
    const client = new pg.Client({ connectionString: scratch.databaseUrl });
    try {
      await client.connect();
      await prepare(client, readings);
      const copy = [
        await rawCopy(client, readings),
        await rawCopy(client, readings),
        await rawCopy(client, readings),
      ].sort((a, b) => a - b)[1]!;
      await publish(scratch, readings, perMessage);
      const { startUpMs, rate, rssMb } = await ingest(scratch, client, readings, options.get('profile'));
      const ratio = rate / copy;
      const bar = BARS[perMessage]!;
      failed ||= ratio < bar;
      console.log(
        `${String(perMessage).padStart(4)} reading(s) a message: ${fmt(rate)} readings/s, raw COPY ${fmt(copy)} rows/s, ratio ${ratio.toFixed(2)} (bar ${bar}) ` +
          `${ratio >= bar ? 'ok' : 'BELOW THE BAR'}; start-up ${startUpMs} ms, ingester ${rssMb} MB`,
      );
    } finally {
      await client.end();
      await scratch.dispose();
    }
  }
  if (failed) process.exitCode = 1;
}

async function prepare(client: pg.Client, readings: number): Promise<void> {
  await client.query(
    `insert into meter_device (id, organization_id, name) select gen_random_uuid(), $1, 'BENCH-' || n from generate_series(0, $2 - 1) n`,
    [DEFAULT_ORGANIZATION_ID, METERS],
  );
  await client.query(
    `insert into series (id, organization_id, name, unit) values (gen_random_uuid(), $1, '1.8.0', 'kWh')`,
    [DEFAULT_ORGANIZATION_ID],
  );
  await client.query(
    `insert into register (meter_device_id, series_id) select m.id, s.id from meter_device m, series s order by split_part(m.name, '-', 2)::int`,
  );
  const last = FIRST + Math.ceil(readings / METERS) * QUARTER_HOUR;
  for (let at = FIRST; at <= last + 31 * 86_400_000; at += 28 * 86_400_000)
    await ensurePartition(client, 'meter_reading', new Date(at));
}

/** The same rows as the messages carry, in the same order, prepared beforehand: the time is the server's. */
async function rawCopy(client: pg.Client, readings: number): Promise<number> {
  const chunks: string[] = [];
  for (let start = 0; start < readings; start += 5_000) {
    const lines: string[] = [];
    for (let n = start; n < Math.min(readings, start + 5_000); n++) {
      lines.push(`${meterOf(n) + 1}\t${timeOf(n)}\t${valueOf(n)}\t0\t0\t2026-06-01T00:00:00Z\n`);
    }
    chunks.push(lines.join(''));
  }
  await client.query('truncate meter_reading');
  const started = performance.now();
  await pipeline(
    Readable.from(chunks),
    client.query(
      copyFrom('copy meter_reading (register_id, measured_at, value, quality, origin, received_at) from stdin'),
    ),
  );
  const seconds = (performance.now() - started) / 1000;
  await client.query('truncate meter_reading');
  return readings / seconds;
}

async function publish(scratch: Scratch, readings: number, perMessage: number): Promise<void> {
  const broker = await connectBroker(scratch, pino({ level: 'silent' }));
  let waiting: Promise<void>[] = [];
  const messages = Math.ceil(readings / perMessage);
  for (let m = 0; m < messages; m++) {
    const first = m * perMessage;
    const body = Buffer.from(
      JSON.stringify(
        perMessage === 1
          ? { meter: `BENCH-${meterOf(first)}`, series: '1.8.0', timestamp: timeOf(first), value: valueOf(first) }
          : {
              version: 1,
              meter: `BENCH-${m % METERS}`,
              // A meter's archive: consecutive quarter-hours.
              readings: Array.from({ length: perMessage }, (_, index) => {
                const n = (m % METERS) + METERS * (Math.floor(m / METERS) * perMessage + index);
                return { series: '1.8.0', timestamp: timeOf(n), value: valueOf(n), unit: 'kWh' };
              }),
            },
      ),
    );
    waiting.push(broker.publish('readings.new', body));
    if (waiting.length === 5_000) {
      await Promise.all(waiting);
      waiting = [];
    }
  }
  await Promise.all(waiting);
  await broker.close();
}

/** @param profile folder for a V8 CPU profile of the ingester, if one is wanted */
async function ingest(
  scratch: Scratch,
  client: pg.Client,
  readings: number,
  profile?: string,
): Promise<{ startUpMs: number; rate: number; rssMb: number }> {
  const spawned = performance.now();
  const child = spawn(
    process.execPath,
    [...(profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : []), CLI, 'ingester'],
    {
      env: {
        ...process.env,
        DATABASE_URL: scratch.databaseUrl,
        AMQP_URL: scratch.amqpUrl,
        AMR_QUEUE_PREFIX: scratch.queuePrefix,
        AMR_LOG_LEVEL: 'warn',
        AMR_HEALTH_PORT: '0',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  try {
    let healthUrl = '';
    for await (const line of createInterface({ input: child.stdout })) {
      healthUrl = /^health: (.*)/.exec(line)?.[1] ?? healthUrl;
      if (line.startsWith('ready:')) break;
    }
    const startUpMs = Math.round(performance.now() - spawned);
    const deadline = Date.now() + 300_000;
    for (let stored = 0; stored < readings;) {
      if (Date.now() > deadline)
        throw new Error(`only ${stored} of ${readings} readings were stored within five minutes`);
      await new Promise((resolve) => setTimeout(resolve, 250));
      stored = Number(
        (await client.query<{ n: string }>('select coalesce(sum(reading_count), 0) as n from reading_log')).rows[0]!.n,
      );
    }
    // A batch is stamped when its write begins: the last one is left out, its end is not known.
    const { rows } = await client.query<{ seconds: number; rows: number }>(
      `select extract(epoch from l.last - l.first)::float8 as seconds, (select count(*) from meter_reading where received_at < l.last)::int as rows
       from (select min(received_at) as first, max(received_at) as last from meter_reading) l`,
    );
    const text = await (await fetch(`${healthUrl}/metrics`)).text();
    const rss = Number(/^process_resident_memory_bytes (\S+)/m.exec(text)?.[1] ?? NaN);
    return { startUpMs, rate: rows[0]!.rows / rows[0]!.seconds, rssMb: Math.round(rss / 1e6) };
  } finally {
    await end(child);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

const meterOf = (n: number) => n % METERS;
const timeOf = (n: number) => new Date(FIRST + Math.floor(n / METERS) * QUARTER_HOUR).toISOString();
const valueOf = (n: number) => `${1000 + Math.floor(n / METERS)}.${String(n % 10_000).padStart(4, '0')}`;
const fmt = (rate: number) => Math.round(rate).toLocaleString('en');
