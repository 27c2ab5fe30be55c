import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { storeOfStaged } from '../../src/services/ingest/staged-store.js';
import { expireStaged } from '../../src/services/staged-expiry.js';
import { knownNames } from '../../src/services/staged-names.js';
import { promoteStaged, type PromotedReading, type PromotionScope } from '../../src/services/staged-promotion.js';
import { silentLog } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { insertMeter } from '../support/rows.js';

let test: TestDatabase;
let pool: pg.Pool;
beforeAll(async () => {
  test = await createTestDatabase();
  pool = test.database.pool;
});
afterAll(() => test.drop());
beforeEach(async () => {
  await pool.query('delete from staged_reading; delete from reading_outcome');
});

const PUBLISHER = '0190abcd-0000-7000-8000-0000000000ff';

/** Stages readings of one name, an hour apart, received half a minute after they were published. */
async function stage(
  meter: string,
  { readings = 1, receivedAt = '2026-02-01T00:01:15Z', publisher = null as string | null } = {},
): Promise<void> {
  await pool.query(
    `insert into staged_reading (organization_id, meter, series, measured_at, value, origin, received_at, publisher, published_at, collected_at, message_id)
     select $1, $2, 'a', '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 hour', n, 4, $4::timestamptz, $5,
       case when $5::uuid is not null then $4::timestamptz - interval '30 seconds' end, '2026-01-31T00:00:00Z', $6
     from generate_series(1, $3::int) n`,
    [DEFAULT_ORGANIZATION_ID, meter, readings, receivedAt, publisher, uuidAt()],
  );
}
const promote = (scope?: PromotionScope) => {
  const { enrich, write } = storeOfStaged(pool);
  return promoteStaged(pool, enrich, write, scope);
};
const storedOf = async (meter: string): Promise<number> => {
  const { rows } = await pool.query<{ count: number }>(
    `select count(*)::int as count from meter_reading join register r on r.id = register_id where meter_device_id = $1`,
    [meter],
  );
  return rows[0]!.count;
};
const waiting = async (): Promise<string[]> => {
  const { rows } = await pool.query<{ meter: string }>('select distinct meter from staged_reading order by 1');
  return rows.map(({ meter }) => meter);
};
const account = async () => {
  const { rows } = await pool.query<Record<string, unknown>>(
    `select publisher, minute, sum(staged)::int as staged, sum(discarded)::int as discarded from reading_outcome where staged <> 0
     group by 1, 2 order by 2`,
  );
  return rows;
};

describe('staged readings', () => {
  it('are stored once their meter has the id, name or serial number that the message named', async () => {
    const id = uuidAt();
    const capitals = uuidAt();
    for (const name of [id, capitals.toUpperCase(), 'by name', 'serial-1', 'nobody']) await stage(name);
    expect(await promote()).toBe(0);
    await insertMeter(pool, 'by id', { id });
    await insertMeter(pool, 'by id in capitals', { id: capitals });
    const named = await insertMeter(pool, 'by name');
    const serial = await insertMeter(pool, 'by serial', { serial_number: 'serial-1' });
    expect(await promote()).toBe(4);
    for (const meter of [id, capitals, named, serial]) expect(await storedOf(meter)).toBe(1);
    expect(await waiting()).toEqual(['nobody']);
    expect(await promote()).toBe(0);
  });

  it('wait while two meters have the serial number, or the meter is of another organization', async () => {
    const other = uuidAt();
    await pool.query('insert into organization (id, name) values ($1, $2)', [other, 'others']);
    await insertMeter(pool, 'twin 1', { serial_number: 'twin' });
    const second = await insertMeter(pool, 'twin 2', { serial_number: 'twin' });
    const foreign = await insertMeter(pool, 'foreign', { organization_id: other });
    for (const name of ['twin', 'foreign', foreign]) await stage(name);
    expect(await promote()).toBe(0);
    await pool.query('update meter_device set serial_number = null where id = $1', [second]);
    expect(await promote()).toBe(1);
    expect(await waiting()).toEqual([foreign, 'foreign'].sort());
  });

  it('of given meters go at once, and those of others wait for the next look', async () => {
    const one = await insertMeter(pool, 'one', { serial_number: 's-one' });
    await insertMeter(pool, 'two');
    for (const name of ['one', 's-one', one, 'two']) await stage(name);
    expect(await promote({ of: { organization: DEFAULT_ORGANIZATION_ID, meters: [one] } })).toBe(3);
    expect(await waiting()).toEqual(['two']);
    expect(await promote()).toBe(1);
  });

  it('go in batches of 2,000, each with its account, at the minute they were published in', async () => {
    await stage('many', { readings: 4_500, publisher: PUBLISHER });
    const meter = await insertMeter(pool, 'many');
    const batches: number[] = [];
    const { enrich, write } = storeOfStaged(pool);
    const promoted = await promoteStaged(
      pool,
      (readings: PromotedReading[]) => {
        batches.push(readings.length);
        return enrich(readings);
      },
      write,
    );
    expect(promoted).toBe(4_500);
    expect(batches).toEqual([2_000, 2_000, 500]);
    expect(await storedOf(meter)).toBe(4_500);
    expect(await account()).toEqual([
      { publisher: PUBLISHER, minute: new Date('2026-02-01T00:00:00Z'), staged: -4_500, discarded: 0 },
    ]);
  });

  it('stay on the stage, and in its account, when they cannot be stored; later they are stored once', async () => {
    await stage('hindered', { readings: 3 });
    const meter = await insertMeter(pool, 'hindered');
    const { enrich } = storeOfStaged(pool);
    const fails = () => Promise.reject(new Error('disk full'));
    await expect(promoteStaged(pool, enrich, fails)).rejects.toThrow('disk full');
    expect(await waiting()).toEqual(['hindered']);
    expect(await account()).toEqual([]);
    const both = await Promise.all([promote(), promote()]);
    expect(both[0] + both[1]).toBe(3);
    expect(await storedOf(meter)).toBe(3);
    // Of a publisher that reports nothing: at the minute they were received in.
    expect(await account()).toEqual([
      { publisher: null, minute: new Date('2026-02-01T00:01:00Z'), staged: -3, discarded: 0 },
    ]);
  });

  it('tell the writer who published them, when, and in which message', async () => {
    await stage('told', { publisher: PUBLISHER });
    const meter = await insertMeter(pool, 'told');
    const seen: PromotedReading[] = [];
    await promoteStaged(
      pool,
      (readings) => Promise.resolve(seen.push(...readings)),
      () => Promise.resolve(),
    );
    const publishedAt = Date.parse('2026-02-01T00:00:45Z');
    expect(seen).toMatchObject([
      {
        organization: DEFAULT_ORGANIZATION_ID,
        meter,
        series: 'a',
        measuredAt: Date.parse('2026-01-01T01:00:00Z'),
        value: '1',
        origin: 'import',
        receivedAt: Date.parse('2026-02-01T00:01:15Z'),
        collectedAt: Date.parse('2026-01-31T00:00:00Z'),
        publication: { publisher: PUBLISHER, publishedAt },
        publishedAt,
      },
    ]);
    expect(seen[0]!.messageId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('are discarded after 30 days, in bounded batches and in the account', async () => {
    const old = new Date(Date.now() - 30 * 86_400_000 - 60_000);
    await stage('forgotten', { readings: 5_100, receivedAt: old.toISOString(), publisher: PUBLISHER });
    await stage('fresh', { receivedAt: new Date().toISOString() });
    expect(await expireStaged(pool, silentLog)).toBe(5_100);
    expect(await waiting()).toEqual(['fresh']);
    const minute = new Date(Math.floor((old.getTime() - 30_000) / 60_000) * 60_000);
    expect(await account()).toEqual([{ publisher: PUBLISHER, minute, staged: -5_100, discarded: 5_100 }]);
    expect(await expireStaged(pool, silentLog)).toBe(0);
  });
});

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  Plans?: PlanNode[];
}

describe('a look at 200,000 readings of 2,000 unknown meters', () => {
  it('reads one of each name, by index', async () => {
    await pool.query(
      `insert into staged_reading (organization_id, meter, series, measured_at, value, origin, received_at)
       select $1, 'unknown ' || n % 2000, 'a', '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 minute', n, 4, now()
       from generate_series(0, 199999) n`,
      [DEFAULT_ORGANIZATION_ID],
    );
    const nodes: PlanNode[] = [];
    const collect = (node: PlanNode) => {
      nodes.push(node);
      node.Plans?.forEach(collect);
    };
    const client = await pool.connect();
    const query = async (sql: string, values: unknown[]) => {
      if (sql.startsWith('with')) {
        const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
          `explain (analyze, format json) ${sql}`,
          values,
        );
        collect(rows[0]!['QUERY PLAN'][0].Plan);
      }
      return client.query(sql, values);
    };
    const explained = { connect: () => Promise.resolve({ query, release: () => undefined }) };
    for await (const known of knownNames(explained as unknown as pg.Pool)) expect(known).toEqual([]);
    client.release();

    const scans = nodes.filter((node) => node['Relation Name'] === 'staged_reading');
    expect(new Set(scans.map((node) => node['Node Type']))).toEqual(new Set(['Index Only Scan']));
    const read = scans.reduce((sum, node) => sum + node['Actual Rows'] * node['Actual Loops'], 0);
    expect(read).toBeLessThanOrEqual(2_001);
    expect(read).toBeGreaterThan(1_000);

    // And when one of them is created, its readings alone are taken.
    const meter = await insertMeter(pool, 'unknown 1234');
    expect(await promote({ of: { organization: DEFAULT_ORGANIZATION_ID, meters: [meter] } })).toBe(100);
    expect(await storedOf(meter)).toBe(100);
  });
});
