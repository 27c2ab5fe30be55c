import pg from 'pg';
import { publishBacklog } from './backlog.js';
import { requireDisk } from './disk.js';
import { fmt, machine } from './machine.js';
import { wholeOption } from './options.js';
import { ReadingPlan } from './reading-plan.js';
import { createScratch } from '../src/scratch/scratch.js';
import { storeBacklog } from './stored-backlog.js';
import { READING_BYTES, storeHistory } from './stored-history.js';
import { storeMeters } from './stored-meters.js';

const PER_MESSAGE = 100;
const HOUR_MS = 3_600_000;
/** Within a month, so that what is new goes where old readings are. */
const NOW = Date.UTC(2025, 8, 10);
/** What an ingester still does of its speed on the empty table. */
const BAR = 0.8;

interface Population {
  meters: number;
  /** New readings to be stored and measured. */
  readings: number;
  /** Hours of each meter that are stored before. */
  hours: number;
  profile: string | undefined;
}

/**
 * Whether an ingester is as quick when many millions of readings are stored: hourly readings of thousands of meters over months,
 * each meter's new ones at the end of its own. On the empty table before and after it, in the same run, as the machine may
 * have changed meanwhile.
 */
export async function run(options: Map<string, string>): Promise<void> {
  const stored = wholeOption(options, 'millions', 50, 1, 1_000) * 1_000_000;
  const meters = wholeOption(options, 'meters', 10_000, 100, 1_000_000);
  const readings = wholeOption(options, 'readings', 1_000_000, 50_000, 50_000_000);
  const population = { meters, readings, profile: options.get('profile') };
  console.log(
    `settings: ${machine()}, ${fmt(stored)} stored, ${fmt(readings)} new readings in messages of ${PER_MESSAGE}, ${fmt(meters)} meters, hourly`,
  );
  const hours = Math.ceil(stored / meters);
  const before = await measure('empty table before', { ...population, hours: 0 });
  const large = await measure('large table', { ...population, hours });
  const after = await measure('empty table after', { ...population, hours: 0 });
  const ratio = large / ((before + after) / 2);
  console.log(
    `ratio of large to empty (mean of both) ${ratio.toFixed(2)} (bar ${BAR}) ${ratio >= BAR ? 'ok' : 'BELOW THE BAR'}`,
  );
  if (ratio < BAR) process.exitCode = 1;
}

/** Readings per second, into a table that holds so many hours of each meter. */
async function measure(what: string, { meters, readings, hours, profile }: Population): Promise<number> {
  const plan = new ReadingPlan(meters, PER_MESSAGE, NOW, HOUR_MS);
  const whole = Math.ceil(readings / PER_MESSAGE) * PER_MESSAGE;
  const scratch = await createScratch('bench');
  const client = new pg.Client({ connectionString: scratch.databaseUrl });
  try {
    await client.connect();
    await requireDisk(client, (hours * meters + whole) * READING_BYTES);
    await storeMeters(client, plan, readings);
    if (hours > 0) await fill(client, meters, hours);
    await publishBacklog(scratch, plan, readings);
    const figures = await storeBacklog(scratch, client, whole, { withinMs: 900_000, profile });
    console.log(
      `${what}: ${fmt(figures.rate)} readings/s; ${figures.readingsPerBatch} readings a batch, ingester ${figures.ingesterCores.toFixed(2)} cores, ` +
        `PostgreSQL ${figures.backendCores?.toFixed(2) ?? '(elsewhere)'} cores, ${figures.rssMb} MB`,
    );
    return figures.rate;
  } finally {
    await client.end();
    await scratch.dispose();
  }
}

async function fill(client: pg.ClientBase, meters: number, hours: number): Promise<void> {
  const started = performance.now();
  const count = await storeHistory(client, { meters, from: NOW - hours * HOUR_MS, to: NOW, stepMs: HOUR_MS });
  const filled = performance.now();
  await client.query('vacuum analyze');
  const { rows } = await client.query<{ bytes: string }>('select pg_database_size(current_database()) as bytes');
  const bytes = Number(rows[0]!.bytes);
  console.log(
    `filled with ${fmt(count)} readings in ${Math.round((filled - started) / 1000)} s, vacuum analyze ${Math.round((performance.now() - filled) / 1000)} s; ` +
      `${(bytes / 1e9).toFixed(2)} GB on disk, ${Math.round(bytes / count)} bytes a reading`,
  );
}
