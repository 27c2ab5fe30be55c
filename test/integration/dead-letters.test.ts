import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { inTransaction } from '../../src/db/database.js';
import { ACK, DEAD_LETTER_HEADERS, REDRIVE_HEADER, type Broker, type Delivery } from '../../src/messaging/broker.js';
import { republishForgotten } from '../../src/services/dead-letter-upkeep.js';
import { createDeadLetterHandler, fileDeadLetters, type DeadLetterEntry } from '../../src/services/dead-letters.js';
import { OutcomeTally } from '../../src/services/ingest/outcomes.js';
import { redrivenLetter, settleRedriven } from '../../src/services/redrive-settlement.js';
import { RedriveService } from '../../src/services/redrive.js';
import { dropClosedDeadLetters } from '../../src/services/retention.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { silentLog, testBrokers } from '../support/broker.js';

const brokers = testBrokers(inject('amqpUrl') ?? 'memory:');
const signal = new AbortController().signal;
const PUBLISHER = uuidAt();
const PUBLISHED = { publisher: PUBLISHER, publishedAt: Date.UTC(2026, 0, 31, 9, 0, 30) };
const LATER = { publisher: PUBLISHER, publishedAt: Date.UTC(2026, 0, 31, 10, 0, 30) };

let broker: Broker;
let api: TestApi;
const arrived: Delivery[] = [];

beforeAll(async () => {
  broker = await brokers.open();
  api = await createTestApi(broker);
  for (const queue of ['readings.new', 'amr.results'] as const) {
    await broker.consume(queue, async (delivery) => (arrived.push(delivery), ACK), { prefetch: 100 });
  }
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});
beforeEach(async () => {
  arrived.length = 0;
  await api.database.pool.query('delete from dead_letter; delete from reading_outcome; delete from audit_entry');
});

const query = async (sql: string, values: unknown[] = []) =>
  (await api.database.pool.query<Record<string, unknown>>(sql, values)).rows;
const entry = (body: string | Buffer, other: Partial<DeadLetterEntry> = {}): DeadLetterEntry => ({
  organization: DEFAULT_ORGANIZATION_ID,
  queue: 'readings.new',
  reason: 'series: must be text',
  body: Buffer.from(body),
  readings: 1,
  publication: PUBLISHED,
  ...other,
});
const file = (...entries: DeadLetterEntry[]) =>
  inTransaction(api.database.pool, (client) => fileDeadLetters(client, entries));
const letters = (columns = 'id, state') => query(`select ${columns} from dead_letter order by body`);
/** Ids of one millisecond are in no order. */
const makeOlder = () => query(`update dead_letter set id = ('00' || substr(id::text, 3))::uuid`);
const idOf = async (body: string) =>
  (await query('select id from dead_letter where body = $1', [Buffer.from(body)]))[0]!['id'] as string;

/** Readings by outcome, for each minute that has any. */
async function account() {
  const rows = await query(
    `select to_char(minute, 'HH24:MI') as minute, sum(stored)::int as stored, sum(duplicate)::int as duplicate,
       sum(dead_lettered)::int as dead, sum(discarded)::int as discarded from reading_outcome group by 1 order by 1`,
  );
  return Object.fromEntries(
    rows.map(({ minute, ...counts }) => [
      minute,
      Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0)),
    ]),
  ) as Record<string, Record<string, number>>;
}

/** What an ingester does with a redriven message: settles, books what became of its readings, files what failed again. */
function ingest(id: string, { stored = 0, again = [] as DeadLetterEntry[] }) {
  return inTransaction(api.database.pool, async (client) => {
    const tally = new OutcomeTally();
    const readings = stored + again.length;
    const settled = await settleRedriven(client, [{ id, organization: DEFAULT_ORGANIZATION_ID, readings }], tally);
    const place = settled.get(id);
    if (place) tally.add(DEFAULT_ORGANIZATION_ID, place.publication, place.at, 'stored', stored);
    await tally.book(client);
    if (place)
      await fileDeadLetters(
        client,
        again.map((one) => ({ ...one, publication: place.publication })),
      );
    return place !== undefined;
  });
}

const REDRIVE = `mutation ($input: RedriveDeadLettersInput!) { redriveDeadLetters(input: $input) {
  matched redriven underWay refused { id reason } } }`;
interface Payload {
  matched: number;
  redriven: number;
  underWay: number;
  refused: { id: string; reason: string }[];
}
const redrive = async (input: object) =>
  (await api.run<{ redriveDeadLetters: Payload }>(REDRIVE, { input })).redriveDeadLetters;

describe('filing', () => {
  it('hides secrets in body and reason, so that a redriven body finds its letter again', async () => {
    await file(entry('{"password":"hunter2","v":1.0}', { reason: 'refused: "hunter2" is wrong' }));
    await file(entry('{"password":"(hidden)","v":1.0}', { reason: 'again' }));
    expect(await letters(`convert_from(body, 'UTF8') as body, occurrences, size`)).toEqual([
      { body: '{"password":"(hidden)","v":1.0}', occurrences: 2, size: 30 },
    ]);
    await file(entry('{"token":"s3cr3t"}', { reason: 'refused: "s3cr3t" is wrong' }));
    expect(JSON.stringify(await letters('reason'))).not.toContain('s3cr3t');
  });

  it('keeps the beginning of a body larger than any message, and refuses to redrive it', async () => {
    await file(entry('x'.repeat(4 * 1024 * 1024 + 1)), entry('y'.repeat(4 * 1024 * 1024)));
    const rows = await letters('id, size, length(body) as kept, cut');
    expect(rows.map(({ size, kept, cut }) => [size, kept, cut]).sort()).toEqual(
      [
        [4 * 1024 * 1024 + 1, 64 * 1024, true],
        [4 * 1024 * 1024, 4 * 1024 * 1024, false],
      ].sort(),
    );
    const { id } = rows.find(({ cut }) => cut)!;
    expect(await redrive({ ids: [id], dryRun: true })).toMatchObject({
      refused: [{ id, reason: expect.stringContaining('only the beginning') as string }],
    });
  });

  it('books each repeat where it was published', async () => {
    await file(entry('a', { readings: 2 }), entry('a', { readings: 2, publication: LATER }));
    await file(entry('a', { readings: 2, publication: LATER }));
    expect(await letters('occurrences, reading_count as readings')).toEqual([{ occurrences: 3, readings: 6 }]);
    expect(await account()).toEqual({ '09:00': { dead: 2 }, '10:00': { dead: 4 } });
  });

  it('keeps a thousand minutes of one letter apart; of a longer history the oldest become duplicates', async () => {
    const minutes = Array.from({ length: 1_003 }, (_, index) => ({
      publisher: PUBLISHER,
      publishedAt: Date.UTC(2026, 0, 1) + index * 60_000,
    }));
    await file(...minutes.map((publication) => entry('often', { publication })));
    expect(await letters('reading_count as readings')).toEqual([{ readings: 1_000 }]);
    const { '00:00': first, '00:02': third, '00:03': fourth } = await account();
    expect([first, third, fourth]).toEqual([{ duplicate: 1 }, { duplicate: 1 }, { dead: 1 }]);
  });
});

describe('looking at dead letters', () => {
  it('shows them newest first, by filter, with body and message', async () => {
    await file(entry('{"meter":"A"}'), entry('no json', { reason: 'value 7: wrong 100%' }));
    await makeOlder();
    await file(entry('{"r":1}', { queue: 'amr.results', readings: 0, publication: undefined }));
    const { deadLetters } = await api.run<{ deadLetters: { totalCount: number; nodes: Record<string, unknown>[] } }>(
      `{ deadLetters(first: 2) { totalCount nodes { __typename queue body message size state readingCount redrives redrivenAt closedAt } } }`,
    );
    expect(deadLetters.totalCount).toBe(3);
    expect(deadLetters.nodes[0]).toEqual({
      ...{ __typename: 'DeadLetter', queue: 'amr.results', body: Buffer.from('{"r":1}').toString('base64') },
      ...{ message: { r: 1 }, size: 7, state: 'DEAD', readingCount: 0, redrives: 0, redrivenAt: null, closedAt: null },
    });
    const ask = async (args: string) =>
      (
        await api.run<{ deadLetters: { nodes: { message: unknown; reason: string }[] } }>(
          `{ deadLetters(${args}) { nodes { message reason } } }`,
        )
      ).deadLetters.nodes;
    expect(await ask('queue: "amr.results"')).toHaveLength(1);
    expect(await ask('filter: {reasonContains: "WRONG 100%"}')).toEqual([
      { message: null, reason: 'value 7: wrong 100%' },
    ]);
    expect(await ask('filter: {states: [RESOLVED]}')).toEqual([]);
    expect(await ask('filter: {from: "2020-01-01T00:00:00Z", to: "2020-01-02T00:00:00Z"}')).toEqual([]);
    const id = await idOf('no json');
    expect(await api.run(`{ node(id: "${id}") { __typename id } deadLetter(id: "${id}") { reason } }`)).toEqual({
      node: { __typename: 'DeadLetter', id },
      deadLetter: { reason: 'value 7: wrong 100%' },
    });
    const other = await api.run<{ deadLetters: { totalCount: number } }>(
      '{ deadLetters { totalCount } }',
      {},
      uuidAt(),
    );
    expect(other.deadLetters.totalCount).toBe(0);
  });

  it('groups them by how they failed', async () => {
    await file(entry('a', { reason: 'value 7: wrong' }), entry('c'));
    await makeOlder();
    await file(entry('b', { reason: 'value 8: wrong', readings: 3 }));
    const groups = await api.run<{ deadLetterGroups: object[] }>(
      '{ deadLetterGroups(queue: "readings.new") { fingerprint count readings occurrences reason newest { id } } }',
    );
    expect(groups.deadLetterGroups).toContainEqual({
      ...{ fingerprint: 'readings.new: value #: wrong', count: 2, readings: '4', occurrences: '2' },
      ...{ reason: 'value 8: wrong', newest: { id: await idOf('b') } },
    });
    expect(groups.deadLetterGroups).toHaveLength(2);
  });

  it('refuses more bodies than fit into one answer', async () => {
    await file(...['1', '2', '3', '4', '5'].map((digit) => entry(digit.repeat(4_000_000))));
    expect(await api.failure('{ deadLetters { nodes { body } } }')).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    const { deadLetters } = await api.run<{ deadLetters: { nodes: object[] } }>(
      '{ deadLetters { nodes { size message } } }',
    );
    expect(deadLetters.nodes[0]).toEqual({ size: 4_000_000, message: null });
  });
});

describe('redriving', () => {
  it('puts readings back with the id of their letter, which stays under way until they are settled', async () => {
    await file(entry('{"a":1}'), entry('{"b":2}'));
    const fingerprint = 'readings.new: series: must be text';
    expect(await redrive({ fingerprint, dryRun: true })).toEqual({ matched: 2, redriven: 0, underWay: 0, refused: [] });
    expect(await redrive({ fingerprint })).toEqual({ matched: 2, redriven: 2, underWay: 0, refused: [] });
    await vi.waitFor(() => expect(arrived).toHaveLength(2));
    const rows = await letters('id, state, redrives');
    expect(rows).toEqual(rows.map(({ id }) => ({ id, state: 'redriving', redrives: 1 })));
    const ids = rows.map(({ id }) => id as string).sort();
    expect(arrived.map(({ headers }) => redrivenLetter(headers)).sort()).toEqual(ids);
    expect(await query('select actor, action, after from audit_entry')).toEqual([
      {
        actor: 'anonymous',
        action: 'redriveDeadLetters',
        after: { fingerprint, force: false, ids },
      },
    ]);
    expect(await redrive({ ids })).toMatchObject({
      matched: 2,
      redriven: 0,
      refused: [{}, {}],
    });
  });

  it('resolves results as soon as they are confirmed', async () => {
    await file(entry('{"type":"x"}', { queue: 'amr.results', readings: 0 }));
    const [row] = await letters();
    expect(await redrive({ ids: [row!['id']] })).toMatchObject({ redriven: 1 });
    await vi.waitFor(async () =>
      expect(await letters('state, closed_at is not null as closed')).toEqual([{ state: 'resolved', closed: true }]),
    );
  });

  it('refuses sessions, unknown ids, and letters that came back three times unless forced', async () => {
    await file(entry('{}', { queue: 'amr.scheduled', readings: 0 }), entry('back'));
    await api.database.pool.query(`update dead_letter set redrives = 3 where queue = 'readings.new'`);
    const ids = [await idOf('{}'), await idOf('back'), uuidAt(), 'x'];
    const { redriven, refused, matched } = await redrive({ ids });
    expect([matched, redriven]).toEqual([4, 0]);
    const reasons = new Map(refused.map(({ id, reason }) => [id, reason]));
    expect(ids.map((id) => reasons.get(id))).toEqual([
      expect.stringContaining('the scheduler sends its runs again'),
      expect.stringContaining('redriven 3 times'),
      expect.stringContaining('no such dead letter'),
      expect.stringContaining('no such dead letter'),
    ]);
    expect(await redrive({ ids: [ids[1]], force: true })).toMatchObject({ redriven: 1, refused: [] });
  });

  it.each([
    [{}, /either ids or a fingerprint/],
    [{ ids: ['a'], fingerprint: 'b' }, /not both/],
    [{ ids: [] }, /at least one id/],
    [{ ids: Array.from({ length: 10_001 }, () => 'x') }, /at most 10000 ids/],
    [{ fingerprint: 'x', ratePerSecond: 5_001 }, /whole number from 1 to 5000/],
  ])('refuses a wrong selection %#', async (input, message) => {
    expect((await api.failure(REDRIVE, { input })).message).toMatch(message);
  });

  it('leaves letters of other organizations alone', async () => {
    await file(entry('{}'));
    const { redriveDeadLetters } = await api.run<{ redriveDeadLetters: Payload }>(
      REDRIVE,
      { input: { ids: [await idOf('{}')] } },
      uuidAt(),
    );
    expect(redriveDeadLetters).toMatchObject({ redriven: 0, refused: [{}] });
  });

  it('is dead again when the broker does not confirm', async () => {
    await file(entry('{}'));
    const away = { ...broker, publish: () => Promise.reject(new Error('refused')) } as unknown as Broker;
    const service = new RedriveService(api.database, away, silentLog);
    await service.redriveDeadLetters(DEFAULT_ORGANIZATION_ID, { ids: [await idOf('{}')] });
    expect(await letters('state, redrives')).toEqual([{ state: 'dead', redrives: 1 }]);
  });

  it('answers in time and goes on in the background, at the rate asked for', async () => {
    await file(...Array.from({ length: 30 }, (_, index) => entry(`{"n":${index}}`)));
    const service = new RedriveService(api.database, broker, silentLog, 100);
    const rows = await letters('id');
    const begun = performance.now();
    const first = await service.redriveDeadLetters(DEFAULT_ORGANIZATION_ID, {
      ids: rows.map(({ id }) => id as string),
      ratePerSecond: 20,
    });
    expect(first.redriven + first.underWay).toBe(30);
    expect(first.underWay).toBeGreaterThan(20);
    await vi.waitFor(() => expect(arrived).toHaveLength(30), 10_000);
    expect(performance.now() - begun).toBeGreaterThan(1_000);
  });

  it('publishes again what a killed process left, ten times at most', async () => {
    await file(entry('{"a":1}'), entry('{"b":1}'), entry('{"c":1}'));
    await api.database.pool.query(
      `update dead_letter set state = 'redriving', redriven_at = now() - interval '3 minutes', redrives = 1;
       update dead_letter set redrives = 10 where body = '{"b":1}'; update dead_letter set redriven_at = now() where body = '{"c":1}'`,
    );
    await republishForgotten(api.database.pool, broker, silentLog, signal);
    await vi.waitFor(() => expect(arrived.map(({ body }) => body.toString())).toEqual(['{"a":1}']));
    expect(await letters(`state, redrives, redriven_at > now() - interval '1 minute' as now`)).toEqual([
      { state: 'redriving', redrives: 2, now: true },
      { state: 'dead', redrives: 10, now: true },
      { state: 'redriving', redrives: 1, now: true },
    ]);
    await republishForgotten(api.database.pool, broker, silentLog, signal);
    expect(arrived).toHaveLength(1);
  });
});

describe('settling', () => {
  const underWay = async (body: string) => {
    await api.database.pool.query(`update dead_letter set state = 'redriving' where state = 'dead'`);
    return idOf(body);
  };

  it('moves the readings to what became of them, once', async () => {
    await file(entry('a', { readings: 2 }), entry('a', { readings: 2, publication: LATER }));
    const id = await underWay('a');
    expect(await ingest(id, { stored: 2 })).toBe(true);
    expect(await ingest(id, { stored: 2 })).toBe(false);
    expect(await account()).toEqual({ '09:00': { stored: 2 }, '10:00': { duplicate: 2 } });
    expect(await letters('state, reading_count as readings, closed_at is not null as closed')).toEqual([
      { state: 'resolved', readings: 0, closed: true },
    ]);
    expect(await query('select * from dead_letter_booking')).toEqual([]);
  });

  it('opens the letter again when it fails again', async () => {
    await file(entry('a', { readings: 1 }));
    const id = await underWay('a');
    await ingest(id, { again: [entry('a')] });
    expect(await letters('id, state, occurrences, reading_count as readings')).toEqual([
      { id, state: 'dead', occurrences: 2, readings: 1 },
    ]);
    expect(await account()).toEqual({ '09:00': { dead: 1 } });
  });

  it('keeps the account where half of a message fails again', async () => {
    await file(entry('whole', { readings: 4 }));
    await ingest(await underWay('whole'), { stored: 2, again: [entry('third'), entry('fourth')] });
    expect(await account()).toEqual({ '09:00': { stored: 2, dead: 2 } });
    expect(await letters('state')).toEqual([{ state: 'dead' }, { state: 'dead' }, { state: 'resolved' }]);
  });

  it('is one letter where a whole message is filed for each of its readings', async () => {
    await file(entry('whole'), entry('whole'), entry('whole'));
    const id = await underWay('whole');
    await ingest(id, { again: [entry('whole'), entry('whole'), entry('whole')] });
    expect(await letters('id, state, reading_count as readings')).toEqual([{ id, state: 'dead', readings: 3 }]);
    expect(await account()).toEqual({ '09:00': { dead: 3 } });
  });

  it('settles a redriven message that the broker gave up on before it files it again', async () => {
    const body = JSON.stringify({ readings: [{}, {}], publisher: PUBLISHER, published_at: '2026-01-31T09:00:30Z' });
    await file(entry(body, { readings: 2 }));
    const id = await underWay(body);
    const handle = createDeadLetterHandler(api.database.pool, 'readings.new.dead', silentLog, signal);
    const headers = { [REDRIVE_HEADER]: id, [DEAD_LETTER_HEADERS.reason]: 'delivery limit' };
    const delivery = {
      body: Buffer.from(body),
      redelivered: false,
      messageId: undefined,
      publishedAt: undefined,
      headers,
    };
    for (let time = 0; time < 2; time++) await handle(delivery);
    expect(await letters('id, state, reading_count as readings')).toEqual([{ id, state: 'dead', readings: 2 }]);
    expect(await account()).toEqual({ '09:00': { dead: 2 } });
  });

  it('loses and invents no reading in any minute, however often letters fail, are redriven and discarded', async () => {
    const step = fc.oneof(
      fc.record({ fail: fc.constantFrom('a', 'b'), readings: fc.integer({ min: 1, max: 3 }), later: fc.boolean() }),
      fc.record({ redrive: fc.constantFrom('a', 'b'), stored: fc.nat(3), again: fc.nat(2) }),
      fc.record({ discard: fc.constantFrom('a', 'b') }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        await api.database.pool.query('delete from dead_letter; delete from reading_outcome');
        const published: Record<string, number> = {};
        for (const one of steps) {
          if ('fail' in one) {
            await file(entry(one.fail, { readings: one.readings, publication: one.later ? LATER : PUBLISHED }));
            const minute = one.later ? '10:00' : '09:00';
            published[minute] = (published[minute] ?? 0) + one.readings;
            continue;
          }
          const body = Buffer.from('redrive' in one ? one.redrive : one.discard);
          const [found] = await query(`select id from dead_letter where body = $1 and state = 'dead'`, [body]);
          if (!found) continue;
          const id = found['id'] as string;
          if ('redrive' in one) {
            await api.database.pool.query(`update dead_letter set state = 'redriving' where id = $1`, [id]);
            await ingest(id, { stored: one.stored, again: Array.from({ length: one.again }, () => entry(body)) });
          } else await api.services.discard.discardDeadLetters(DEFAULT_ORGANIZATION_ID, { ids: [id], reason: 'x' });
        }
        const sums = Object.entries(await account()).map(([minute, counts]) => [
          minute,
          Object.values(counts).reduce((sum, count) => sum + count, 0),
        ]);
        expect(Object.fromEntries(sums)).toEqual(published);
        const dead = Object.values(await account()).reduce((sum, counts) => sum + (counts['dead'] ?? 0), 0);
        expect(await query('select coalesce(sum(reading_count), 0)::int as dead from dead_letter')).toEqual([{ dead }]);
      }),
      { numRuns: 25 },
    );
  });
});

describe('discarding', () => {
  const DISCARD = `mutation ($input: DiscardDeadLettersInput!) { discardDeadLetters(input: $input) { matched discarded refused { id reason } } }`;

  it('moves the readings to the discarded ones and notes the reason', async () => {
    await file(entry('a', { readings: 2 }), entry('a', { readings: 1, publication: LATER }));
    const id = await idOf('a');
    const input = { ids: [id], reason: 'the meter was scrapped' };
    const answer = { matched: 1, discarded: 1, refused: [] };
    expect(await api.run(DISCARD, { input: { ...input, dryRun: true } })).toEqual({
      discardDeadLetters: { ...answer, discarded: 0 },
    });
    expect(await api.run(DISCARD, { input })).toEqual({ discardDeadLetters: answer });
    expect(await account()).toEqual({ '09:00': { discarded: 2 }, '10:00': { discarded: 1 } });
    expect(await letters('state, reading_count as readings')).toEqual([{ state: 'discarded', readings: 0 }]);
    expect(await query('select action, after from audit_entry')).toEqual([
      { action: 'discardDeadLetters', after: { reason: 'the meter was scrapped', ids: [id] } },
    ]);
    expect(await api.run(DISCARD, { input })).toMatchObject({
      discardDeadLetters: { discarded: 0, refused: [{ id }] },
    });
  });

  it('needs a reason', async () => {
    expect(await api.failure(DISCARD, { input: { fingerprint: 'x', reason: ' ' } })).toMatchObject({
      field: 'input.reason',
    });
  });
});

it('drops letters that were closed 30 days ago, and no others', async () => {
  await file(entry('old'), entry('new'), entry('dead'));
  await api.database.pool.query(
    `update dead_letter set state = 'resolved', closed_at = now() - interval '31 days' where body = 'old';
     update dead_letter set state = 'discarded', closed_at = now() - interval '29 days' where body = 'new';
     update dead_letter set last_seen_at = now() - interval '1 year' where body = 'dead'`,
  );
  await dropClosedDeadLetters(api.database.pool, signal);
  expect(await letters(`convert_from(body, 'UTF8') as body`)).toEqual([{ body: 'dead' }, { body: 'new' }]);
});
