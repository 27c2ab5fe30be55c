import { afterAll, describe, expect, inject, it, vi } from 'vitest';
import { createKeyPair } from '../../src/credentials.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { ReadingOrigin } from '../../src/domain/enums.js';
import { createClient } from '../../src/graphql/client.js';
import { MeterReadingAddedDocument } from '../../src/graphql/generated/graphql.js';
import type { CommittedBatch } from '../../src/messaging/contracts.js';
import { pause } from '../../src/retry.js';
import { ReadingPublisher } from '../../src/services/reading-publisher.js';
import { startBalancer, type Balancer } from '../support/balancer.js';
import { silentLog, testBrokers, type TestBrokers } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startAmr, type AmrProcess } from '../support/processes.js';
import { seededRandom } from '../support/random.js';
import { insertMeter } from '../support/rows.js';

/** Of kills and cuts; `PROOF_SCALE=20` takes minutes. */
const SECONDS = 8 * Number(process.env['PROOF_SCALE'] ?? 1);
const SEED = Number(process.env['PROOF_SEED'] ?? Date.now() % 1_000_000);
const SERVERS = 3;
const INGESTERS = 2;
const FOLLOWERS = 6;
const METERS = 5;
const READINGS = 20;
const PUBLISH_EVERY_MS = 25;
const STRIKE_EVERY_MS = 600;
const within = { timeout: 60_000, interval: 100 };
const FIRST = Date.UTC(2026, 0, 1);
const amqpUrl = inject('amqpUrl');

/** A subscriber that goes on from its cursor, whichever server it comes to. */
class Follower {
  readonly values: string[] = [];
  readonly cursors: string[] = [];
  disconnects = 0;
  private readonly events;
  private readonly reading: Promise<void>;

  constructor(url: string) {
    const variables = () => ({ after: this.cursor });
    const onDisconnect = () => this.disconnects++;
    this.events = createClient({ url }).subscribe(MeterReadingAddedDocument, variables, { onDisconnect });
    this.reading = this.follow();
  }

  private cursor: string | undefined;

  private async follow(): Promise<void> {
    for await (const { meterReadingAdded: reading } of this.events) {
      this.cursor = reading.cursor!;
      this.cursors.push(this.cursor);
      this.values.push(reading.value);
    }
  }

  async stop(): Promise<void> {
    await this.events.return?.();
    await this.reading;
  }
}

describe.skipIf(!amqpUrl)('streams that are resumed (needs RabbitMQ)', () => {
  let database: TestDatabase;
  let brokers: TestBrokers;
  let balancer: Balancer | undefined;
  const processes: AmrProcess[] = [];
  const followers: Follower[] = [];

  afterAll(async () => {
    await Promise.all(followers.map((follower) => follower.stop()));
    await Promise.all(processes.map((amr) => amr.kill()));
    await balancer?.close();
    await brokers?.dispose();
    await database?.drop();
  });

  it(
    'have no hole and no repeat, whatever servers, ingesters and connections are lost',
    { timeout: (SECONDS + 120) * 1000 },
    async () => {
      console.log(`PROOF_SEED=${SEED}`);
      const random = seededRandom(SEED);
      const below = (count: number) => Math.floor(random() * count);
      database = await createTestDatabase();
      brokers = testBrokers(amqpUrl!);
      const { pool } = database.database;
      for (let meter = 0; meter < METERS; meter++) await insertMeter(pool, `meter ${meter}`);
      const env = {
        DATABASE_URL: database.url,
        AMQP_URL: amqpUrl!,
        AMR_QUEUE_PREFIX: brokers.config.queuePrefix,
        AMR_CREDENTIALS_PUBLIC_KEY: createKeyPair().publicKey,
        AMR_HEALTH_PORT: '0',
      };
      const run = (command: string, port = 0) => {
        const amr = startAmr([command], { ...env, AMR_HTTP_PORT: String(port) });
        processes.push(amr);
        return amr;
      };
      const servers = Array.from({ length: SERVERS }, () => run('server'));
      const ingesters = Array.from({ length: INGESTERS }, () => run('ingester'));
      const ports = await Promise.all(
        servers.map(async (amr) => Number((await amr.says(/^ready: server \S+:(\d+)/m))[1])),
      );
      await Promise.all(ingesters.map((amr) => amr.says(/^ready:/m)));
      balancer = await startBalancer(ports);
      followers.push(
        ...Array.from({ length: FOLLOWERS }, () => new Follower(`http://127.0.0.1:${balancer!.port}/graphql`)),
      );

      const publisher = new ReadingPublisher(await brokers.open(), silentLog);
      let published = 0;
      const publish = async () => {
        const readings = Array.from({ length: READINGS }, () => {
          published++;
          const timestamp = new Date(FIRST + published * 1000).toISOString();
          return { series: '1-0:1.8.0', timestamp, value: String(published) };
        });
        const meter_device = `meter ${below(METERS)}`;
        const collected_at = new Date().toISOString();
        const message = { version: 1 as const, organization: DEFAULT_ORGANIZATION_ID, meter_device, collected_at };
        await publisher.publish({ ...message, origin: ReadingOrigin.PUSH, readings });
      };

      // A follower without a cursor has no place to come back to.
      await vi.waitFor(async () => {
        await publish();
        expect(followers.filter(({ cursors }) => cursors.length === 0)).toEqual([]);
      }, within);

      const end = performance.now() + SECONDS * 1000;
      const load = (async () => {
        for (; performance.now() < end; await pause(PUBLISH_EVERY_MS)) await publish();
      })();
      let kills = 0;
      for (; performance.now() < end; await pause(STRIKE_EVERY_MS)) {
        const strike = below(4);
        if (strike === 0) {
          const index = below(SERVERS);
          await servers[index]!.kill();
          servers[index] = run('server', ports[index]);
          kills++;
        } else if (strike === 1) {
          const index = below(INGESTERS);
          await ingesters[index]!.kill();
          ingesters[index] = run('ingester');
          kills++;
        } else balancer.cut(below);
      }
      await load;
      await publisher.stop();

      await vi.waitFor(async () => {
        const { rows } = await pool.query<{ stored: number; unnumbered: number }>(
          `select (select count(*)::int from meter_reading) as stored,
             (select count(*)::int from reading_log where position is null) as unnumbered`,
        );
        expect(rows[0]).toEqual({ stored: published, unnumbered: 0 });
      }, within);
      const { rows: logged } = await pool.query<{ body: string }>('select body from reading_log order by position');
      const values = logged.flatMap(({ body }) => (JSON.parse(body) as CommittedBatch).columns.flatMap(({ v }) => v));
      expect(values).toHaveLength(published);

      for (const follower of followers) {
        const expected = values.slice(values.indexOf(follower.values[0]!));
        await vi.waitFor(() => expect(follower.values.length).toBeGreaterThanOrEqual(expected.length), within);
        expect(follower.values).toEqual(expected);
        expect(follower.cursors.every((cursor, index) => index === 0 || cursor > follower.cursors[index - 1]!)).toBe(
          true,
        );
      }
      const disconnects = followers.reduce((sum, follower) => sum + follower.disconnects, 0);
      console.log(`${published} readings, ${kills} processes killed, ${disconnects} connections lost`);
      expect(disconnects).toBeGreaterThan(0);
    },
  );
});
