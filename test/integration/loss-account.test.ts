import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { inTransaction } from '../../src/db/database.js';
import { ReadingOrigin } from '../../src/domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { ACK, type Broker, type Delivery } from '../../src/messaging/broker.js';
import { encode, type NewMeterReadingMessage, type ResultMessage } from '../../src/messaging/contracts.js';
import { accountsWhileLeading } from '../../src/services/accounts.js';
import { announceAlerts, type Alert } from '../../src/services/alert-book.js';
import { Ingester } from '../../src/services/ingest/ingester.js';
import { OutcomeTally, publicationOf, type Outcome } from '../../src/services/ingest/outcomes.js';
import { watchLoss } from '../../src/services/loss-alarm.js';
import { dropOldMinutes, foldOutcomes } from '../../src/services/loss-minutes.js';
import { ReadingPublisher } from '../../src/services/reading-publisher.js';
import { ResultsBook } from '../../src/services/results.js';
import { metrics } from '../../src/telemetry.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { silentLog, testBrokers } from '../support/broker.js';

const ACCOUNT = `query ($from: DateTime!, $to: DateTime!) { lossAccount(from: $from, to: $to) {
  published stored duplicate revised staged deadLettered discarded inFlight unreported balanced } }`;
const BY_MINUTE = `query ($from: DateTime!, $to: DateTime!, $first: Int) {
  lossAccountByMinute(from: $from, to: $to, first: $first) { from to published inFlight } }`;
const ALERTS = `query ($open: Boolean, $first: Int, $after: String) { alerts(open: $open, first: $first, after: $after) {
  nodes { id kind subject severity message details resolvedAt } pageInfo { endCursor hasNextPage } totalCount } }`;

interface AlertNode {
  id: string;
  subject: string;
  message: string;
  resolvedAt: string | null;
}

describe('the loss account', () => {
  const memory = testBrokers('memory:');
  let api: TestApi;
  let broker: Broker;
  let book: ResultsBook;
  let minute: Date;

  beforeAll(async () => {
    broker = await memory.open();
    api = await createTestApi(broker);
    book = new ResultsBook(api.database.pool, broker, { sessionCapMs: 1 }, silentLog, new AbortController().signal);
  });
  afterAll(async () => {
    await api?.drop();
    await memory.dispose();
  });
  beforeEach(async () => {
    await api.database.pool.query('truncate loss_minute, reading_outcome, alert');
    minute = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 600_000);
  });

  const deliver = (message: ResultMessage) => {
    const delivery: Delivery = {
      body: encode(message),
      redelivered: false,
      messageId: undefined,
      publishedAt: Date.now(),
      headers: {},
    };
    return book.handle(delivery);
  };
  const report = async (
    publisher: string,
    readings: number,
    closed: boolean,
    { organization = DEFAULT_ORGANIZATION_ID, at = minute } = {},
  ) => {
    const minutes = [{ organization, minute: at.toISOString(), readings, closed }];
    expect(await deliver({ type: 'published', publisher, minutes })).toEqual(ACK);
  };
  const outcome = (publisher: string | undefined, counts: Partial<Record<Outcome, number>>) =>
    inTransaction(api.database.pool, async (client) => {
      const tally = new OutcomeTally();
      const publication = publisher === undefined ? undefined : publicationOf(publisher, minute.toISOString());
      for (const [name, count] of Object.entries(counts))
        tally.add(DEFAULT_ORGANIZATION_ID, publication, minute.getTime(), name as Outcome, count);
      await tally.book(client);
    });
  const period = (minutes = 1) => ({
    from: minute.toISOString(),
    to: new Date(minute.getTime() + minutes * 60_000).toISOString(),
  });
  const account = async (organization?: string) =>
    (await api.run<{ lossAccount: Record<string, unknown> }>(ACCOUNT, period(), organization)).lossAccount;
  const fold = () => foldOutcomes(api.database.pool);
  const alerts = async (open?: boolean) =>
    (await api.run<{ alerts: { nodes: AlertNode[]; totalCount: number } }>(ALERTS, { open })).alerts;
  const gauge = async (name: string) => (await metrics.getSingleMetric(name)!.get()).values[0]?.value;

  it('is the same before and after outcomes are folded, and complete', async () => {
    const publisher = randomUUID();
    await report(publisher, 21, true);
    await outcome(publisher, { stored: 6, duplicate: 5, revised: 4, staged: 3, dead_lettered: 2, discarded: 1 });
    await outcome(undefined, { stored: 7 });
    const expected = {
      ...{ published: '21', stored: '6', duplicate: '5', revised: '4', staged: '3', deadLettered: '2', discarded: '1' },
      ...{ inFlight: '0', unreported: '7', balanced: true },
    };
    expect(await account()).toEqual(expected);
    await fold();
    expect(await account()).toEqual(expected);
    expect((await api.database.pool.query('select from reading_outcome')).rowCount).toBe(0);
  });

  it('follows readings that move between outcomes', async () => {
    const publisher = randomUUID();
    await report(publisher, 5, true);
    await outcome(publisher, { staged: 5 });
    await fold();
    await outcome(publisher, { staged: -5, stored: 4, duplicate: 1 });
    await fold();
    expect(await account()).toMatchObject({ staged: '0', stored: '4', duplicate: '1', inFlight: '0', balanced: true });
  });

  it('takes totals of reports, however often and in whichever order they come', async () => {
    const publisher = randomUUID();
    await report(publisher, 9, true);
    await report(publisher, 9, true);
    await report(publisher, 4, false);
    expect(await account()).toMatchObject({ published: '9', inFlight: '9', balanced: false });
    // Still closed.
    await outcome(publisher, { stored: 10 });
    expect(await account()).toMatchObject({ published: '9', inFlight: '-1' });
  });

  it('believes outcomes of a publisher that has not said its last count, and not of one that has', async () => {
    const [open, closed] = [randomUUID(), randomUUID()];
    await report(open, 1, false);
    await outcome(open, { stored: 3 });
    expect(await account()).toMatchObject({ published: '3', inFlight: '0', balanced: true });
    await report(closed, 1, true);
    await outcome(closed, { stored: 3 });
    expect(await account()).toMatchObject({ published: '4', stored: '6', inFlight: '-2', balanced: false });
  });

  it('is not balanced when a loss of one publisher and a surplus of another cancel out', async () => {
    const [one, other] = [randomUUID(), randomUUID()];
    await report(one, 2, true);
    await outcome(other, { stored: 2 });
    await report(other, 0, true);
    expect(await account()).toMatchObject({ inFlight: '0', balanced: false });
  });

  it('is kept by organization, and ignores reports of unknown ones and of other times, counted', async () => {
    const other = uuidAt();
    await api.database.pool.query(`insert into organization (id, name) values ($1, $2)`, [other, other]);
    await report(randomUUID(), 3, true, { organization: other });
    const ignored = (await gauge('amr_published_reports_ignored_total')) ?? 0;
    await report(randomUUID(), 5, true, { organization: uuidAt() });
    await report(randomUUID(), 5, true, { at: new Date(Date.now() + 2 * 86_400_000) });
    await report(randomUUID(), 5, true, { at: new Date(Date.now() - 41 * 86_400_000) });
    expect(await gauge('amr_published_reports_ignored_total')).toBe(ignored + 3);
    expect(await account(other)).toMatchObject({ published: '3' });
    expect(await account()).toMatchObject({ published: '0', balanced: true });
    expect((await api.database.pool.query('select from loss_minute')).rowCount).toBe(1);
  });

  it('is given minute by minute, up to a bound, and for 40 days at most', async () => {
    for (const index of [0, 1, 3])
      await report(randomUUID(), index + 1, true, { at: new Date(minute.getTime() + index * 60_000) });
    const of = async (first?: number) =>
      (
        await api.run<{ lossAccountByMinute: { from: string; published: string }[] }>(BY_MINUTE, {
          ...period(5),
          first,
        })
      ).lossAccountByMinute;
    expect((await of()).map(({ published }) => published)).toEqual(['1', '2', '4']);
    expect(await of(1)).toEqual([{ ...period(), published: '1', inFlight: '1' }]);
    expect(await api.failure(BY_MINUTE, { ...period(5), first: 1441 })).toMatchObject({ field: 'first' });
    const long = { ...period(), from: '2020-01-01T00:00:00Z' };
    expect(await api.failure(ACCOUNT, long)).toMatchObject({ code: 'BAD_USER_INPUT', field: 'to' });
    expect(await api.failure(ACCOUNT, { from: long.to, to: long.from })).toMatchObject({ field: 'to' });
  });

  it('folds each outcome once while others book and fold at the same time', async () => {
    const publishers = Array.from({ length: 3 }, () => randomUUID());
    await Promise.all([
      ...Array.from({ length: 60 }, (_, index) => outcome(publishers[index % 3], { stored: 1 })),
      ...Array.from({ length: 20 }, () => fold()),
      ...publishers.map((publisher) => report(publisher, 20, true)),
    ]);
    await fold();
    expect(await account()).toMatchObject({ published: '60', stored: '60', inFlight: '0', balanced: true });
  });

  it('finds what is unbalanced by the index for it', async () => {
    const client = await api.database.pool.connect();
    try {
      await client.query('set enable_seqscan = off');
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(
        `explain select * from loss_minute where in_flight <> 0 and minute > now() - interval '40 days'`,
      );
      expect(JSON.stringify(rows)).toContain('loss_minute_unbalanced');
    } finally {
      client.release(true);
    }
  });

  it('drops minutes after 40 days', async () => {
    await api.database.pool.query(
      `insert into loss_minute (organization_id, minute, publisher, published)
       select $1, now() - days * interval '1 day', $2, 1 from unnest('{39, 41}'::int[]) days`,
      [DEFAULT_ORGANIZATION_ID, randomUUID()],
    );
    await dropOldMinutes(api.database.pool, new AbortController().signal);
    expect((await api.database.pool.query('select from loss_minute')).rowCount).toBe(1);
  });

  describe('alarm', () => {
    it('is raised once for a minute that is overdue, updated, and resolved by itself', async () => {
      const { pool } = api.database;
      const [one, other] = [randomUUID(), randomUUID()];
      await report(one, 3, true);
      await watchLoss(pool, 60_000, silentLog);
      expect(await alerts()).toMatchObject({ nodes: [], totalCount: 0 });
      expect(await gauge('amr_loss_in_flight')).toBe(3);
      expect(await gauge('amr_loss_in_flight_overdue')).toBe(0);

      await watchLoss(pool, 0, silentLog);
      expect(await gauge('amr_loss_in_flight_overdue')).toBe(3);
      const subject = minute.toISOString().replace(':00.000', '');
      const [first] = (await alerts(true)).nodes;
      expect(first).toMatchObject({ kind: 'LOSS', severity: 'CRITICAL', subject, details: { missing: 3, surplus: 0 } });
      expect(first!.message).toBe(`3 published readings of the minute ${subject} have no outcome`);

      await report(other, 2, true);
      await watchLoss(pool, 0, silentLog);
      expect((await alerts(true)).nodes).toMatchObject([{ id: first!.id, details: { missing: 5 } }]);

      await outcome(one, { stored: 3 });
      await outcome(other, { dead_lettered: 2 });
      await fold();
      await watchLoss(pool, 0, silentLog);
      expect((await alerts(true)).nodes).toEqual([]);
      expect((await alerts(false)).nodes).toMatchObject([{ id: first!.id, resolvedAt: expect.any(String) as string }]);
      expect(await gauge('amr_loss_in_flight')).toBe(0);
    });

    it('is raised at once when more came out than was published', async () => {
      const publisher = randomUUID();
      await outcome(publisher, { stored: 3 });
      await report(publisher, 1, true);
      await fold();
      await watchLoss(api.database.pool, 60_000, silentLog);
      expect(await gauge('amr_loss_negative')).toBe(2);
      expect((await alerts(true)).nodes[0]!.message).toContain('2 more readings than were published');
    });

    it('is announced when it opens and when it is resolved, again where that failed', async () => {
      const { pool } = api.database;
      const { signal } = new AbortController();
      const told: Alert[] = [];
      let fails = true;
      const announce = async (alert: Alert) => {
        if (fails) throw new Error('away');
        told.push(alert);
      };
      await report(randomUUID(), 3, true);
      await watchLoss(pool, 0, silentLog);
      await announceAlerts(pool, announce, silentLog, signal);
      fails = false;
      for (const _ of [1, 2]) await announceAlerts(pool, announce, silentLog, signal);
      expect(told).toMatchObject([{ kind: 'loss', resolvedAt: null }]);
      await pool.query('truncate loss_minute');
      await watchLoss(pool, 0, silentLog);
      for (const _ of [1, 2]) await announceAlerts(pool, announce, silentLog, signal);
      expect(told).toMatchObject([{ resolvedAt: null }, { id: told[0]!.id, resolvedAt: expect.any(Date) as Date }]);
    });

    it('pages from the newest on', async () => {
      for (const index of [0, 1, 2]) {
        await report(randomUUID(), 1, true, { at: new Date(minute.getTime() + index * 60_000) });
        await watchLoss(api.database.pool, 0, silentLog);
      }
      const subjects: string[] = [];
      for (let after: string | null | undefined; after !== null;) {
        const { alerts: page } = await api.run<{
          alerts: { nodes: AlertNode[]; pageInfo: { endCursor: string; hasNextPage: boolean } };
        }>(ALERTS, { first: 1, after });
        subjects.push(...page.nodes.map(({ subject }) => subject));
        after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
      }
      expect(subjects).toEqual([...subjects].sort().reverse());
      expect(subjects).toHaveLength(3);
    });
  });

  describe.skipIf(!inject('amqpUrl'))('on RabbitMQ', () => {
    const rabbit = testBrokers(inject('amqpUrl')!);
    afterAll(() => rabbit.dispose());

    it('sees a message that vanished from the broker, and that it came back', { timeout: 60_000 }, async () => {
      const { pool } = api.database;
      const rabbitBroker = await rabbit.open();
      const publisher = new ReadingPublisher(rabbitBroker, silentLog, 50);
      const results = await rabbitBroker.consume('amr.results', book.handle, { prefetch: 100 });
      const leading = new AbortController();
      const told: Alert[] = [];
      const announce = async (alert: Alert) => void told.push(alert);
      const accounts = accountsWhileLeading(pool, { lossAlarmMs: 200 }, announce, silentLog, {
        client: undefined as never,
        signal: leading.signal,
      });
      const queue = `${rabbit.config.queuePrefix}readings.new`;
      const bare = await connect(inject('amqpUrl')!);
      try {
        const channel = await bare.createConfirmChannel();
        for (const readings of [3, 4, 5]) await publisher.publish(messageOf(readings));
        const stolen = await vi.waitFor(async () => {
          const message = await channel.get(queue, { noAck: true });
          if (message === false) throw new Error('not there yet');
          return message;
        });
        const settings = loadConfig({ AMR_INGEST_WINDOW_MS: '5' });
        const ingester = new Ingester(pool, rabbitBroker, settings, silentLog);
        const stored = await rabbitBroker.consume('readings.new', ingester.handle, { prefetch: 10 });
        await publisher.stop();
        const within = { timeout: 20_000, interval: 50 };
        await vi.waitFor(async () => expect((await alerts(true)).nodes).toHaveLength(1), within);
        await vi.waitFor(
          async () => expect((await alerts(true)).nodes[0]!.message).toMatch(/^3 published readings of the minute/),
          within,
        );
        await vi.waitFor(() => expect(told).toMatchObject([{ resolvedAt: null }]), within);

        channel.sendToQueue(queue, stolen.content, { persistent: true });
        await channel.waitForConfirms();
        await vi.waitFor(async () => expect((await alerts(true)).nodes).toEqual([]), within);
        await vi.waitFor(() => expect(told.at(-1)!.resolvedAt).toBeInstanceOf(Date), within);
        await stored.drain();
        await ingester.stop();
      } finally {
        leading.abort();
        await accounts;
        await results.drain();
        await bare.close();
      }
    });
  });
});

function messageOf(readings: number): NewMeterReadingMessage {
  return {
    version: 1,
    message_id: uuidAt(),
    organization: DEFAULT_ORGANIZATION_ID,
    meter_device: uuidAt(),
    origin: ReadingOrigin.SCHEDULED,
    collected_at: new Date().toISOString(),
    readings: Array.from({ length: readings }, () => ({ series: 's', timestamp: '2026-01-31T09:00:00Z', value: '1' })),
  };
}
