import { once } from 'node:events';
import { connect, type ConsumeMessage } from 'amqplib';
import pg from 'pg';
import { meterNumber } from './reading-plan.js';
import type { Scratch } from '../src/scratch/scratch.js';
import { steadyRate, type WrittenBatch } from './steady-rate.js';

const BATCH = 5_000;
const PREFETCH = 10_000;
const WITHIN_MS = 300_000;

interface Fields {
  meter: string;
  timestamp: string;
  value: string;
  readings?: { timestamp: string; value: string }[];
}
interface Rows {
  registers: number[];
  times: string[];
  values: string[];
}
interface Batch {
  rows: Rows;
  last: ConsumeMessage;
}

/**
 * Readings per second of the least that stores a backlog: parse, one upsert of arrays, acknowledge. It checks nothing, looks up
 * no meter and tells nobody. The table is left empty.
 */
export async function bareConsumer(scratch: Scratch, readings: number): Promise<number> {
  const client = new pg.Client({ connectionString: scratch.databaseUrl });
  await client.connect();
  const connection = await connect(scratch.amqpUrl);
  const done = new AbortController();
  const deadline = setTimeout(
    () => done.abort(new Error(`the bare consumer did not store ${readings} readings within ${WITHIN_MS / 1000} s`)),
    WITHIN_MS,
  );
  try {
    const channel = await connection.createChannel();
    await channel.prefetch(PREFETCH);
    const batches: WrittenBatch[] = [];
    const waiting: Batch[] = [];
    let rows = empty();
    let arrived = 0;
    let stored = 0;
    let writing = false;
    const write = async (): Promise<void> => {
      if (writing) return;
      writing = true;
      for (let batch = waiting.shift(); batch; batch = waiting.shift()) {
        const { length } = batch.rows.values;
        batches.push({ at: Date.now(), readings: length });
        await upsert(client, batch.rows);
        channel.ack(batch.last, true);
        stored += length;
      }
      writing = false;
      if (stored >= readings) done.abort();
    };
    await channel.consume(scratch.queuePrefix + 'readings.new', (message) => {
      if (!message) return done.abort(new Error('the queue of the bare consumer is gone'));
      const before = rows.values.length;
      add(rows, JSON.parse(message.content.toString()) as Fields);
      arrived += rows.values.length - before;
      if (rows.values.length < BATCH && arrived < readings) return;
      waiting.push({ rows, last: message });
      rows = empty();
      write().catch((error: unknown) => done.abort(error));
    });
    if (!done.signal.aborted) await once(done.signal, 'abort');
    if (stored < readings) throw done.signal.reason;
    await client.query('truncate meter_reading');
    return steadyRate(batches);
  } finally {
    clearTimeout(deadline);
    await connection.close();
    await client.end();
  }
}

const empty = (): Rows => ({ registers: [], times: [], values: [] });

function add(rows: Rows, fields: Fields): void {
  const register = meterNumber(fields.meter) + 1;
  for (const { timestamp, value } of fields.readings ?? [fields]) {
    rows.registers.push(register);
    rows.times.push(timestamp);
    rows.values.push(value);
  }
}

async function upsert(client: pg.ClientBase, { registers, times, values }: Rows): Promise<void> {
  // Written out by hand, as the product does: the driver's array encoding takes longer than the insert.
  const array = (items: readonly unknown[]) => `{${items.join()}}`;
  await client.query(
    `insert into meter_reading (register_id, measured_at, value, quality, origin, received_at)
     select r, t, v, 0, 0, now() from unnest($1::int[], $2::timestamptz[], $3::numeric[]) u (r, t, v) order by 1, 2
     on conflict (register_id, measured_at) do update set value = excluded.value`,
    [array(registers), array(times), array(values)],
  );
}
