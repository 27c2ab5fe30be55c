import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { connect, type ChannelModel, type ConfirmChannel, type Options } from 'amqplib';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { uuidAt } from '../../src/domain/uuid.js';
import { LossAccountService } from '../../src/services/loss-account.js';
import { testBrokers } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startAmr, type AmrProcess } from '../support/processes.js';
import { insertMeter } from '../support/rows.js';

const amqpUrl = inject('amqpUrl');
const MB = 1024 * 1024;
const METER = 'A good neighbour';
const within = { timeout: 60_000, interval: 100 };

const reading = { series: 'hostile', timestamp: '2026-01-31T10:00:00+01:00', value: '1' };
const message = (fields: Record<string, unknown>) => ({ meter: METER, ...reading, ...fields });
const readings = (count: number, item: unknown) => ({
  meter: METER,
  readings: Array.from({ length: count }, () => item),
});
const nested = (open: string, close: string, inside = '1') => open.repeat(100_000) + inside + close.repeat(100_000);
const text = (value: unknown) => JSON.stringify(value);

interface Hostile {
  body: string | Buffer | Record<string, unknown>;
  reason: RegExp;
  properties?: Options.Publish;
  /** What is kept is not the body as it came. */
  isRebuilt?: true;
}

/** Each must become a dead letter whose reason names what is wrong, and what would be right. */
const REFUSED: Record<string, Hostile> = {
  'garbage bytes': {
    body: Buffer.from([0xde, 0xad, 0xbe, 0xef, 0x00, 0xff]),
    reason: /^message: is not UTF-8; encode/,
  },
  nothing: { body: '', reason: /^message: is empty; must be a JSON object/ },
  '5 MB': {
    body: message({ padding: 'x'.repeat(5 * MB) }),
    reason: /^message: \d+ bytes are more than 4194304; send fewer/,
  },
  '20 MB': { body: message({ padding: 'y'.repeat(20 * MB) }), reason: /^message: \d+ bytes are more than 4194304/ },
  'invalid UTF-8': {
    body: Buffer.from(text(message({ meter: 'Zähler' })), 'latin1'),
    reason: /^message: is not UTF-8/,
  },
  'UTF-16': { body: Buffer.from(text(message({})), 'utf16le'), reason: /^message: not JSON in UTF-8/ },
  'UTF-16 with a mark': { body: Buffer.from('\uFEFF{}', 'utf16le'), reason: /^message: is not UTF-8/ },
  'cut JSON': { body: text(message({})).slice(0, -1), reason: /^message: not JSON in UTF-8/ },
  'a deep array': { body: nested('[', ']'), reason: /^message: must be a JSON object/ },
  'a deep value': {
    body: `{"meter":"${METER}","series":"hostile","timestamp":"2026-01-31T10:00:00Z","value":${nested('{"a":', '}')}}`,
    reason: /^value: must be a decimal as text/,
  },
  'a deep reading': {
    body: `{"meter":"${METER}","readings":[${nested('{"a":', '}')}]}`,
    reason: /^message: is nested too deeply/,
  },
  'an array': { body: text([message({})]), reason: /^message: must be a JSON object/ },
  'a number': { body: '42', reason: /^message: must be a JSON object/ },
  null: { body: 'null', reason: /^message: must be a JSON object/ },
  'a number as value': { body: message({ value: 12.5 }), reason: /^value: must be a decimal as text/ },
  'a huge number as value': {
    body: text(message({})).replace('"1"', '1e400'),
    reason: /^value: must be a decimal as text/,
  },
  'an exponent': { body: message({ value: '1e400' }), reason: /^value: must be a decimal as text/ },
  '39 digits': { body: message({ value: '9'.repeat(39) }), reason: /^value: .*at most 38 digits/ },
  'a million digits': { body: message({ value: '9'.repeat(1e6) }), reason: /^value: .*at most 38 digits/ },
  NaN: { body: message({ value: 'NaN' }), reason: /^value: must be a decimal/ },
  '10,001 readings': { body: readings(10_001, reading), reason: /^readings: must be an array of 1 to 10000/ },
  'no readings': { body: readings(0, reading), reason: /^readings: must be an array of 1 to 10000/ },
  '10,000 wrong readings': {
    body: readings(10_000, { ...reading, value: 'wrong of many' }),
    reason: /^readings\.0\.value: must be a decimal .* \(and 9999 more of its readings\)/,
    isRebuilt: true,
  },
  'readings that are none': {
    body: readings(3, 7),
    reason: /^readings\.\d\.reading: must be a JSON object/,
    isRebuilt: true,
  },
  __proto__: {
    body: `{"__proto__":${text(message({}))}}`,
    reason: /^meter_device: must be the id, name or serial number/,
  },
  'a NUL in the meter': { body: message({ meter: 'a\0b' }), reason: /^meter_device: .*without control characters/ },
  'a NUL in the series': { body: message({ series: 'a\0b' }), reason: /^series: .*without control characters/ },
  'a lone surrogate': { body: message({ series: '\ud800' }), reason: /^series: must be text/ },
  'a long series': { body: message({ series: 's'.repeat(151) }), reason: /^series: .*1 to 150/ },
  'a wrong unit': { body: message({ unit: 7 }), reason: /^unit: must be text/ },
  'a wrong status': { body: message({ status: 2 ** 31 }), reason: /^status: must be a whole number/ },
  'no time': {
    body: message({ timestamp: undefined }),
    reason: /^timestamp: nothing is not ISO 8601 text with an offset/,
  },
  'a number as time': {
    body: message({ timestamp: 1_700_000_000 }),
    reason: /^timestamp: a number is not ISO 8601 text with an offset/,
  },
  'a time without offset': {
    body: message({ timestamp: '2026-01-31T10:00:00' }),
    reason: /^timestamp: .*with an offset/,
  },
  'the 31st of April': { body: message({ timestamp: '2026-04-31T10:00:00Z' }), reason: /^timestamp: / },
  'a leap second': { body: message({ timestamp: '2026-12-31T23:59:60Z' }), reason: /^timestamp: / },
  'the year 0001': { body: message({ timestamp: '0001-01-01T00:00:00Z' }), reason: /^timestamp: .*is before/ },
  'the year 9999': { body: message({ timestamp: '9999-12-31T23:59:59Z' }), reason: /^timestamp: .*too far ahead/ },
  'the year 275760': { body: message({ timestamp: '+275760-09-13T00:00:00Z' }), reason: /^timestamp: / },
  'an unknown organization': {
    body: message({ organization: uuidAt() }),
    reason: /^organization: \S+ does not exist/,
    isRebuilt: true,
  },
  'an organization that is no id': {
    body: message({ organization: "'; drop table" }),
    reason: /^organization: must be the id/,
  },
  'a wrong version': { body: message({ version: '1' }), reason: /^version: must be 1/ },
  'a wrong origin': { body: message({ origin: 'constructor' }), reason: /^origin: must be one of/ },
  'a wrong run': { body: message({ task_run: 5 }), reason: /^task_run: must be the id/ },
  'a wrong message_id': { body: message({ message_id: { a: 1 } }), reason: /^message_id: must be text/ },
  'a wrong collected_at': { body: message({ collected_at: 5 }), reason: /^collected_at: must be ISO 8601/ },
  'collected in the year 9999': {
    body: message({ collected_at: '9999-12-31T00:00:00Z' }),
    reason: /^collected_at: .*not ahead/,
  },
  'a wrong publisher': { body: message({ publisher: 'me' }), reason: /^publisher: must be the UUID/ },
  'a publisher that is a list': { body: message({ publisher: [uuidAt()] }), reason: /^publisher: must be the UUID/ },
  'a wrong published_at': {
    body: message({ publisher: uuidAt(), published_at: 17 }),
    reason: /^published_at: must be ISO 8601/,
  },
  'published in the year 9999': {
    body: message({ publisher: uuidAt(), published_at: '9999-12-31T23:59:59Z' }),
    reason: /^published_at: .*to a day ahead of now/,
  },
  'published in the year 0001': {
    body: message({ publisher: uuidAt(), published_at: '0001-01-01T00:00:00Z' }),
    reason: /^published_at: .*from 2000/,
  },
};

/** What is only unusual, or wrong where it does not matter: the readings are stored. */
const ACCEPTED: Record<
  string,
  Pick<Hostile, 'properties'> & { fields?: Record<string, unknown>; body?: (good: string) => string }
> = {
  'duplicate keys: the last one counts': { body: (good) => good.replace('{', '{"value":"3","timestamp":7,') },
  'a foreign __proto__ besides': {
    body: (good) => good.replace('{', '{"__proto__":{"meter":7,"value":7},"constructor":null,'),
  },
  'an AMQP timestamp in milliseconds': { properties: { timestamp: Date.now() } },
  'an AMQP timestamp beyond all time': { properties: { timestamp: 2 ** 53 - 1 } },
  'headers of other types': {
    properties: {
      headers: {
        'x-amr-redrive': 7,
        'x-amr-resent': { a: 1 },
        'x-amr-published-at': 'soon',
        'x-delivery-count': 'many',
      },
    },
  },
  'a redrive header that is no id': { properties: { headers: { 'x-amr-redrive': "' or 1=1" } } },
  'a redrive header of a letter that does not exist': { properties: { headers: { 'x-amr-redrive': uuidAt() } } },
  'a published header beyond all time': { properties: { headers: { 'x-amr-published-at': 1e300 } } },
};

describe.skipIf(!amqpUrl)('an ingester among hostile messages (needs RabbitMQ)', () => {
  const brokers = testBrokers(amqpUrl ?? 'memory:');
  let test: TestDatabase;
  let ingester: AmrProcess;
  let connection: ChannelModel;
  let channel: ConfirmChannel;
  let sent = 0;
  /** A message of another second of the meter; returns the instant that is stored. */
  const publishGood = (changes: (good: string) => string = String, properties: Options.Publish = {}): Date => {
    const at = new Date(Date.UTC(2026, 0, 1) + 1_000 * sent++);
    publish(Buffer.from(changes(text(message({ timestamp: at.toISOString() })))), properties);
    return at;
  };
  const publish = (body: Buffer, properties: Options.Publish = {}) =>
    void channel.sendToQueue(`${brokers.config.queuePrefix}readings.new`, body, { persistent: true, ...properties });
  const stored = async (times: readonly Date[]) => {
    const { rows } = await test.database.pool.query<{ value: string }>(
      'select value from meter_reading where measured_at = any($1::timestamptz[])',
      [times],
    );
    return rows.map(({ value }) => value);
  };
  const neighbours: Date[] = [];
  const accepted = new Map<string, Date>();

  beforeAll(async () => {
    test = await createTestDatabase();
    await insertMeter(test.database.pool, METER);
    await brokers.open(); // makes the queues: what waits in them is one batch
    connection = await connect(amqpUrl!);
    channel = await connection.createConfirmChannel();
    for (const { body, properties } of Object.values(REFUSED)) {
      neighbours.push(publishGood());
      publish(bytesOf(body), properties);
    }
    for (const [name, { body, properties }] of Object.entries(ACCEPTED))
      accepted.set(name, publishGood(body, properties));
    await channel.waitForConfirms();
    ingester = startAmr(['ingester'], {
      DATABASE_URL: test.url,
      AMQP_URL: amqpUrl!,
      AMR_QUEUE_PREFIX: brokers.config.queuePrefix,
    });
    await ingester.says(/^ready:/m);
  }, 120_000);
  afterAll(async () => {
    await ingester?.stop();
    await connection?.close();
    await brokers.dispose();
    await test?.drop();
  }, 60_000);

  it('stores all their neighbours', async () => {
    await vi.waitFor(async () => expect(await stored(neighbours)).toHaveLength(neighbours.length), within);
  }, 70_000);

  it.each(Object.entries(REFUSED))(
    'sets %s aside with a reason',
    async (_name, { body, reason, isRebuilt }) => {
      const digest = createHash('sha256').update(bytesOf(body)).digest();
      const reasons = async () => {
        const { rows } = await test.database.pool.query<{ reason: string }>(
          `select reason from dead_letter where queue = 'readings.new' and ($1 or digest = $2)`,
          [isRebuilt === true, digest],
        );
        return rows.map((row) => row.reason);
      };
      await vi.waitFor(
        async () => expect(await reasons()).toEqual(expect.arrayContaining([expect.stringMatching(reason)])),
        within,
      );
    },
    70_000,
  );

  it.each([...Object.keys(ACCEPTED)])(
    'stores %s',
    async (name) => {
      await vi.waitFor(async () => expect(await stored([accepted.get(name)!])).toEqual(['1']), within);
    },
    70_000,
  );

  it('files nothing else', async () => {
    const { rows } = await test.database.pool.query<{ queue: string; letters: number }>(
      'select queue, count(*)::int as letters from dead_letter group by 1',
    );
    expect(rows).toEqual([{ queue: 'readings.new', letters: Object.keys(REFUSED).length }]);
  });

  it('keeps an account without minutes that are not', async () => {
    const { rows } = await test.database.pool.query(
      `select minute from loss_minute where minute > now() + interval '2 days' union all
       select minute from reading_outcome where minute > now() + interval '2 days'`,
    );
    expect(rows).toEqual([]);
    const { rows: organizations } = await test.database.pool.query<{ id: string }>('select id from organization');
    const now = Date.now();
    const account = new LossAccountService(test.database);
    const { balanced } = await account.account(
      organizations[0]!.id,
      new Date(now - 3_600_000),
      new Date(now + 3_600_000),
    );
    expect(balanced).toBe(true);
  });

  it('is alive and quick afterwards, and small', async () => {
    const begun = performance.now();
    const at = publishGood();
    await vi.waitFor(async () => expect(await stored([at])).toHaveLength(1), { timeout: 5_000, interval: 20 });
    expect(ingester.running).toBe(true);
    const peak = peakMemory(ingester.pid);
    console.log(`stored after ${Math.round(performance.now() - begun)} ms; peak memory ${peak ?? 'unknown'} MB`);
    if (peak !== undefined) expect(peak).toBeLessThan(600);
  });
});

function bytesOf(body: Hostile['body']): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : text(body));
}

/** The most a process has had in memory, in MB; known on Linux only. */
function peakMemory(pid: number): number | undefined {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return undefined;
  return Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(file, 'utf8'))?.[1]) / 1024);
}
