import { cpus } from 'node:os';
import pg from 'pg';
import { pino } from 'pino';
import { openDatabase } from '../src/db/database.js';
import { DEFAULT_ORGANIZATION_ID } from '../src/domain/organization.js';
import { connectBroker } from '../src/messaging/connect-broker.js';
import { pause } from '../src/retry.js';
import { dispatchWhileLeading } from '../src/services/dispatch.js';
import { materialiseDueSlots } from '../src/services/slots.js';
import { createScratch } from '../src/scratch/scratch.js';

const GROUPS = 10;
/** Bars: seconds to materialise one slot, by meters; sessions a second to claim and publish. */
const MATERIALISE_BARS: Record<number, number> = { 100_000: 5, 1_000_000: 60 };
const DISPATCH_BAR = 4_000;
/** Sessions dispatched for the rate; each is closed as soon as it is published. */
const DISPATCHED = 40_000;
const TIMINGS = { startByMs: 60_000, sessionCapMs: 60_000 };

/** Materialises one quarterly slot for all meters, reached through ten groups, and dispatches the sessions of many. */
export async function run(options: Map<string, string>): Promise<void> {
  const meters = Number(options.get('meters') ?? 100_000);
  console.log(
    `settings: ${cpus().length} cores, Node ${process.version}, ${meters} meters with an interface each, ${GROUPS} groups`,
  );
  const scratch = await createScratch('bench');
  const log = pino({ level: 'silent' });
  const database = await openDatabase(scratch.databaseUrl, 'bench', log);
  const broker = await connectBroker(scratch, log);
  try {
    const { pool } = database;
    const fill = async (sql: string, ...parameters: unknown[]) =>
      void (await pool.query(sql, [DEFAULT_ORGANIZATION_ID, ...parameters]));
    await fill(
      `insert into network_interface (id, organization_id, name, kind, host, port)
       select gen_random_uuid(), $1, 'line ' || n, 'tcp', '127.0.0.1', 9 from generate_series(1, $2::int) n`,
      meters,
    );
    await fill(
      `insert into meter_device (id, organization_id, name, network_interface_id)
       select gen_random_uuid(), $1, i.name, i.id from network_interface i`,
    );
    await fill(
      `insert into amr_task (id, organization_id, name, schedule, meter_execution_type, task_call, task_kwargs, active_since)
       select gen_random_uuid(), $1, 'quarterly', 'quarterly', 'generic_lis200', 'read_archive_by_offset_seconds', '{"offset_seconds": 3600}', '2020-01-01'`,
    );
    await fill(
      `insert into amr_task_group (id, organization_id, name) select gen_random_uuid(), $1, 'group ' || n from generate_series(1, ${GROUPS}) n`,
    );
    await pool.query('insert into amr_task_group_tasks select g.id, t.id from amr_task_group g, amr_task t');
    await pool.query(
      `insert into meter_device_task_groups
       select m.id, g.id from (select id, row_number() over () as n from meter_device) m
       join (select id, row_number() over () - 1 as n from amr_task_group) g on g.n = m.n % ${GROUPS}`,
    );
    await pool.query('analyze');

    const before = process.memoryUsage().rss;
    let started = performance.now();
    const [slot] = await materialiseDueSlots(pool);
    const seconds = (performance.now() - started) / 1000;
    const bar = MATERIALISE_BARS[meters];
    console.log(
      `materialise: ${slot?.runs} runs in ${seconds.toFixed(1)} s${bar ? ` (bar ${bar} s)` : ''}, scheduler +${((process.memoryUsage().rss - before) / 1e6).toFixed(0)} MB`,
    );
    if (bar !== undefined && seconds > bar) process.exitCode = 1;
    await pool.query('analyze task_run');

    const client = new pg.Client(scratch.databaseUrl);
    await client.connect();
    const done = new AbortController();
    const wanted = Math.min(DISPATCHED, meters);
    let sessions = 0;
    started = performance.now();
    const dispatching = dispatchWhileLeading(pool, broker, TIMINGS, log, { client, signal: done.signal });
    while (sessions < wanted) {
      // As if pollers began them: the number of sessions that wait in the broker is bounded.
      const begun = await pool.query(`update poll_session set state = 'running' where state = 'dispatched'`);
      sessions += begun.rowCount ?? 0;
      await pool.query(`select pg_notify('amr_dispatch', '')`);
      await pause(20);
    }
    const elapsed = (performance.now() - started) / 1000;
    done.abort();
    await dispatching;
    await client.end();
    const rate = sessions / elapsed;
    console.log(
      `dispatch: ${sessions} sessions claimed and published, ${Math.round(rate).toLocaleString('en')}/s (bar ${DISPATCH_BAR.toLocaleString('en')}/s)`,
    );
    if (rate < DISPATCH_BAR) process.exitCode = 1;
  } finally {
    await broker.close();
    await database.close();
    await scratch.dispose();
  }
}
