import type pg from 'pg';
import { DEFAULT_ORGANIZATION_ID } from '../src/domain/organization.js';
import { partitionName } from '../src/db/partitions.js';
import { PARTITION_SCHEMA } from '../src/db/orm.js';
import { QUARTER_HOUR_MS } from './reading-plan.js';
import { ensureMonths } from './stored-meters.js';

export const YEAR = { from: Date.UTC(2025, 0, 1), to: Date.UTC(2026, 0, 1) };
const READINGS_A_YEAR = (YEAR.to - YEAR.from) / QUARTER_HOUR_MS;
/** As a page has. */
const METERS = 100;
const GROUPS = 10;

/**
 * Meters with an interface and two groups each, and a counter that was read each quarter-hour: of all on the last day of the
 * year, of as many as the readings reach for the whole year. Register n is that of meter n.
 * @returns the meters with a whole year
 */
export async function storeGraphqlData(client: pg.ClientBase, readings: number): Promise<string[]> {
  const whole = Math.max(1, Math.round(readings / READINGS_A_YEAR));
  const organization = [DEFAULT_ORGANIZATION_ID];
  const meters = Math.max(METERS, whole);
  await client.query(
    `insert into network_interface (id, organization_id, name, kind, host, port)
     select gen_random_uuid(), $1, 'line ' || n, 'tcp', '127.0.0.1', 1000 + n % 60000 from generate_series(1, ${meters}) n`,
    organization,
  );
  await client.query(
    `insert into meter_device (id, organization_id, name, serial_number, network_interface_id)
     select uuid_v7_at(now() + n * interval '1 ms'), $1, 'BENCH-' || n, n, i.id
       from generate_series(1, ${meters}) n join network_interface i on i.name = 'line ' || n`,
    organization,
  );
  await client.query(
    `insert into amr_task_group (id, organization_id, name) select gen_random_uuid(), $1, 'group ' || n from generate_series(0, ${GROUPS - 1}) n`,
    organization,
  );
  await client.query(
    `insert into meter_device_task_groups (meter_device_id, amr_task_group_id)
     select m.id, g.id from meter_device m join amr_task_group g
         on g.name in ('group ' || m.serial_number::int % ${GROUPS}, 'group ' || (m.serial_number::int + 1) % ${GROUPS})`,
  );
  await client.query(
    `insert into series (id, organization_id, name, unit, kind) values (gen_random_uuid(), $1, '1-0:1.8.0*255', 'kWh', 'cumulative')`,
    organization,
  );
  await client.query(
    `insert into register (meter_device_id, series_id) select m.id, s.id from meter_device m, series s order by m.serial_number::int`,
  );
  const months = await ensureMonths(client, YEAR.from, YEAR.to);
  for (const [index, month] of months.slice(0, -1).entries()) {
    const table = `${PARTITION_SCHEMA}.${partitionName('meter_reading', new Date(month))}`;
    const [first, end] = [(month - YEAR.from) / QUARTER_HOUR_MS, (months[index + 1]! - YEAR.from) / QUARTER_HOUR_MS];
    const lastDay = READINGS_A_YEAR - 96;
    await client.query(
      `insert into ${table} (register_id, measured_at, value, origin, received_at, collected_at, message_id)
       select register, at, (1000 + step + (step * 37 % 10000) / 10000.0)::numeric(12, 4), 0, at, at, gen_random_uuid()
         from (select register, step, $1::timestamptz + step * interval '15 minutes' as at
                 from generate_series(1, ${meters}) register, generate_series(${first}, ${end - 1}) step
                where register <= ${whole} or step >= ${lastDay}) s`,
      [new Date(YEAR.from)],
    );
    console.error(`stored ${new Date(month).toISOString().slice(0, 7)} of ${whole} meters`);
  }
  await client.query('vacuum analyze');
  const { rows } = await client.query<{ id: string }>(
    `select id from meter_device where serial_number::int <= ${whole} order by serial_number::int limit 1000`,
  );
  return rows.map(({ id }) => id);
}

/** What PostGraphile needs to be asked the same: a span of a register's readings, and a meter's newest reading. */
export async function addPeerFunctions(client: pg.ClientBase): Promise<void> {
  // It knows no partitioned tables: rows of a type of their own.
  await client.query(
    `create type bench_reading as (measured_at timestamptz, value numeric, quality int);
     create function readings_between(meter uuid, since timestamptz, until timestamptz) returns setof bench_reading stable language sql as $$
       select measured_at, value, quality from meter_reading
        where register_id in (select id from register where meter_device_id = meter) and measured_at >= since and measured_at < until
        order by register_id, measured_at $$`,
  );
  await client.query(
    `create function meter_device_last_reading_at(meter meter_device) returns timestamptz stable language sql as $$
       select max(newest.measured_at) from register r cross join lateral (
         select measured_at from meter_reading where register_id = r.id order by measured_at desc limit 1) newest
        where r.meter_device_id = meter.id $$`,
  );
}
