import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { createClient } from '../../src/graphql/client.js';
import { CreateMeterDeviceDocument, RedriveDeadLettersDocument } from '../../src/graphql/generated/graphql.js';
import { Pipeline } from '../support/pipeline.js';
import { PublishedTruth } from '../support/published-truth.js';
import { insertMeter } from '../support/rows.js';

const METERS = ['crash-1', 'crash-2', 'crash-3', 'crash-4'];
const STRATEGIES = ['sequential', 'async', 'hybrid'] as const;
const LOG_INSERT = 'with logged as (insert into reading_log (';
const ACCOUNT_INSERT = 'insert into reading_outcome (';
const LOCKED_ACCOUNT = 'lock table reading_outcome in access exclusive mode';
const LOCKED_LOG = 'lock table reading_log in access exclusive mode';
/** Refuses what `PublishedTruth.old` makes; an ingester without it takes that. */
const STRICT = { AMR_OLDEST_READING: '2020-01-01' };
/** What is published together is written together, and acknowledged in order. */
const ONE_WRITER = { AMR_INGEST_PARALLELISM: '1', AMR_INGEST_WINDOW_MS: '300' };
const LETTERS = 6;
const TEST_MS = 60_000;

/**
 * Processes are killed at chosen points of the pipeline. Each point is reached from outside, by holding what the process needs to
 * go on: a lock in the database, or what it says to the broker. Then another one takes over, and all that was ever published is
 * accounted for. What has taken over is the victim of the next test, where its settings fit: starting takes most of the time.
 */
describe.skipIf(!inject('amqpUrl'))('crash points of the ingestion (needs RabbitMQ)', () => {
  const truth = new PublishedTruth(METERS);
  let pipeline: Pipeline;

  beforeAll(async () => {
    pipeline = await Pipeline.start();
    for (const name of METERS) {
      await insertMeter(pipeline.database.database.pool, name, { network_interface_id: null });
    }
    await pipeline.ingester(STRICT);
    // What later messages repeat and revise, and what is redriven.
    await pipeline.publish([truth.fresh()]);
    for (const meter of METERS.slice(0, 2)) {
      await pipeline.publish(Array.from({ length: LETTERS }, () => truth.old(meter)));
    }
    await pipeline.settles(truth);
  }, TEST_MS);
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await pipeline.tidy();
  });
  afterAll(() => pipeline?.stop());

  it('during the promotion of staged readings: they leave the stage once', { timeout: TEST_MS }, async () => {
    const ingester = await pipeline.ingester(STRICT);
    const names = ['newcomer-1', 'newcomer-2'];
    await pipeline.publish(names.map((name) => truth.unknown(name)));
    await committed();
    const release = await pipeline.hold(LOCKED_LOG);
    for (const name of names) await pipeline.client.request(CreateMeterDeviceDocument, { input: { name } });
    await pipeline.waitsIn(LOG_INSERT);
    await pipeline.crash(ingester);
    await release();
    await pipeline.counts('staged_reading', truth.outcomes.staged);

    for (const name of names) truth.created(name);
    pipeline.successor(ONE_WRITER);
    await pipeline.settles(truth);
  });

  it('before the commit: nothing of the batch is left, and all of it comes again', { timeout: TEST_MS }, async () => {
    const ingester = await pipeline.ingester(ONE_WRITER);
    const storedBefore = await pipeline.count('meter_reading');
    const release = await pipeline.hold(LOCKED_LOG);
    await pipeline.publish(truth.everything());
    await pipeline.waitsIn(LOG_INSERT);
    await pipeline.crash(ingester);
    await release();
    expect(await pipeline.count('meter_reading')).toBe(storedBefore);
    expect(await pipeline.abandoned()).toBeGreaterThan(METERS.length);

    pipeline.successor(ONE_WRITER);
    await pipeline.settles(truth);
  });

  it('between the acknowledgement and the relay: what is committed is announced', { timeout: TEST_MS }, async () => {
    const ingester = await pipeline.ingester(ONE_WRITER);
    const release = await pipeline.hold('select from reading_log_head for update');
    await pipeline.publish(truth.everything());
    await committed();
    // Acknowledged in order: with its commit, those of all before it have gone out.
    await pipeline.publish([truth.fresh()]);
    await committed();
    await pipeline.crash(ingester);
    expect(await pipeline.abandoned()).toBeLessThanOrEqual(1);
    expect(await pipeline.count('reading_log where position is null')).toBeGreaterThan(0);
    await release();

    pipeline.successor({ AMR_INGEST_STRATEGY: STRATEGIES[0] });
    await pipeline.settles(truth);
  });

  it.each(STRATEGIES.map((strategy, index) => ({ strategy, next: STRATEGIES[index + 1] ?? 'hybrid' })))(
    'between the commit and its acknowledgement, strategy $strategy: what comes again counts once',
    { timeout: TEST_MS },
    async ({ strategy, next }) => {
      const ingester = await pipeline.ingester({ AMR_INGEST_STRATEGY: strategy });
      pipeline.proxy.swallow();
      const messages = truth.everything();
      await pipeline.publish(messages);
      await committed();
      await pipeline.crash(ingester);
      expect(await pipeline.abandoned()).toBe(messages.length);

      pipeline.successor({ AMR_INGEST_STRATEGY: next });
      await pipeline.settles(truth);
    },
  );

  it('between the commit that settles redriven letters and the acknowledgement', { timeout: TEST_MS }, async () => {
    const ingester = await pipeline.ingester({ AMR_INGEST_STRATEGY: 'hybrid' });
    const [meter] = METERS as [string];
    pipeline.proxy.swallow();
    await pipeline.client.request(RedriveDeadLettersDocument, { input: { ids: await letters(meter) } });
    truth.redriven(meter);
    await committed();
    await pipeline.crash(ingester);
    expect(await pipeline.abandoned()).toBe(LETTERS);

    pipeline.successor(ONE_WRITER);
    await pipeline.settles(truth);
  });

  it('during a redrive, when some of its letters have been published', { timeout: TEST_MS }, async () => {
    await pipeline.crash(await pipeline.ingester(ONE_WRITER));
    const server = pipeline.run('server', {}, true);
    const [, url] = await server.says(/^ready: server (\S+)/m);
    const meter = METERS[1]!;
    const ids = await letters(meter);
    const redrive = { input: { ids, ratePerSecond: 2 } };
    // It does not live to answer.
    const unanswered = createClient({ url: `${url}/graphql` }).request(RedriveDeadLettersDocument, redrive);
    void unanswered.catch(() => undefined);
    await vi.waitFor(async () => expect(await pipeline.abandoned()).toBeGreaterThan(0), { timeout: 10_000 });
    pipeline.proxy.swallow();
    await pipeline.crash(server);
    expect(await pipeline.abandoned()).toBeLessThan(LETTERS);
    await pipeline.counts(`dead_letter where state = 'redriving'`, LETTERS);

    // What has been under way for long is published again by the next ingester that leads, also what was published.
    await pipeline.database.database.pool.query(
      `update dead_letter set redriven_at = redriven_at - interval '3 minutes' where state = 'redriving'`,
    );
    truth.redriven(meter);
    pipeline.successor(ONE_WRITER);
    await pipeline.settles(truth);
  });

  describe('an ingester stands still in a batch, and the broker gives its messages to another', () => {
    it('which waits at its keys until it goes on', { timeout: TEST_MS }, async () => {
      const { frozen, release, backends } = await standsStill();
      pipeline.successor(ONE_WRITER);
      await pipeline.waitsIn('', backends);
      await release();
      frozen.resume();
      await pipeline.settles(truth);
      expect(frozen.running).toBe(true);
      await frozen.kill();
    });

    it('which comes to no key of it, as all was refused', { timeout: TEST_MS }, async () => {
      const { frozen, release, backends } = await standsStill([truth.refused()], LOCKED_ACCOUNT, ACCOUNT_INSERT);
      const other = pipeline.successor(ONE_WRITER);
      await pipeline.waitsIn('', backends);
      await release();
      frozen.resume();
      await pipeline.settles(truth);
      await other.kill();
    });

    it('which stores them, as its transaction is gone', { timeout: TEST_MS }, async () => {
      const { frozen, release, backends } = await standsStill();
      const end = 'select pg_terminate_backend(pid) from unnest($1::int[]) as b (pid)';
      await pipeline.database.database.pool.query(end, [backends]);
      await release();
      pipeline.successor(ONE_WRITER);
      await committed();
      await pipeline.idle();
      frozen.resume();
      await vi.waitFor(() => expect(frozen.stderr).toMatch(/a batch waits for the database/), { timeout: 20_000 });
      await pipeline.settles(truth);
    });
  });

  /** A frozen ingester in the middle of writing a batch, its connection to the broker cut. */
  async function standsStill(messages = truth.everything(), lock = LOCKED_LOG, waitsIn = LOG_INSERT) {
    const frozen = await pipeline.ingester(ONE_WRITER);
    const release = await pipeline.hold(lock);
    await pipeline.publish(messages);
    const backends = await pipeline.waitsIn(waitsIn);
    frozen.freeze();
    pipeline.proxy.cut();
    expect(await pipeline.abandoned()).toBe(messages.length);
    return { frozen, release, backends };
  }

  /** All that was published so far is committed, as far as rows tell. */
  async function committed(): Promise<void> {
    const { outcomes } = truth;
    await pipeline.counts('meter_reading', outcomes.stored);
    await pipeline.counts('staged_reading', outcomes.staged);
    await pipeline.counts('meter_reading_revision', outcomes.revised);
    await pipeline.counts(`dead_letter where state = 'dead'`, outcomes.dead_lettered);
  }

  /** Ids of the letters of old readings of this meter. */
  async function letters(meter: string): Promise<string[]> {
    const { rows } = await pipeline.database.database.pool.query<{ id: string }>(
      `select id from dead_letter where state = 'dead' and reason like '%the oldest that is kept'
         and convert_from(body, 'UTF8') like '%' || $1 || '%'`,
      [meter],
    );
    expect(rows.length).toBe(LETTERS);
    return rows.map(({ id }) => id);
  }
});
