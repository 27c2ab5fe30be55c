import { isDeepStrictEqual } from 'node:util';
import { connect, type ChannelModel } from 'amqplib';
import { expect, inject, vi } from 'vitest';
import { createKeyPair } from '../../src/credentials.js';
import { createClient, type GraphqlClient } from '../../src/graphql/client.js';
import { inTransaction } from '../../src/db/database.js';
import { ACK, type Broker, type Delivery, type Disposition } from '../../src/messaging/broker.js';
import { decode, ResultMessage } from '../../src/messaging/contracts.js';
import { bookPublished } from '../../src/services/published-booking.js';
import { ReadingPublisher, type UnsentReadings } from '../../src/services/reading-publisher.js';
import { silentLog, testBrokers, type TestBrokers } from './broker.js';
import { createTestDatabase, type TestDatabase } from './database.js';
import { LiveReadings } from './live-readings.js';
import { startAmr, type AmrProcess } from './processes.js';
import { publishAll, type PublishedTruth } from './published-truth.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';

type Settings = Readonly<Record<string, string>>;

const SETTLED_MS = 25_000;

/** The ingestion pipeline as processes of their own, on queues and a database of their own; with ingesters as a test starts them. */
export class Pipeline {
  private readonly processes: AmrProcess[] = [];
  private readonly ingesters: { amr: AmrProcess; settings: Settings }[] = [];
  private readonly held = new Set<() => Promise<void>>();

  private constructor(
    readonly database: TestDatabase,
    private readonly brokers: TestBrokers,
    /** Of the test itself. */
    private readonly broker: Broker,
    private readonly model: ChannelModel,
    /** Between RabbitMQ and what is started `proxied`. */
    readonly proxy: TcpProxy,
  ) {}

  private readonly publicKey = createKeyPair().publicKey;
  client!: GraphqlClient;
  live!: LiveReadings;

  static async start(): Promise<Pipeline> {
    const amqpUrl = inject('amqpUrl')!;
    const { hostname, port } = new URL(amqpUrl);
    const brokers = testBrokers(amqpUrl);
    const database = await createTestDatabase();
    const proxy = await startTcpProxy(hostname, Number(port || 5672));
    const pipeline = new Pipeline(database, brokers, await brokers.open(), await connect(amqpUrl), proxy);
    try {
      await pipeline.open();
      return pipeline;
    } catch (error) {
      await pipeline.stop();
      throw error;
    }
  }

  private async open(): Promise<void> {
    const server = this.run('server');
    // Nothing else is sent to this queue here, so that no scheduler is needed.
    await this.broker.consume('amr.results', (delivery) => this.bookReport(delivery), { prefetch: 10 });
    const [, url] = await server.says(/^ready: server (\S+)/m);
    this.client = createClient({ url: `${url}/graphql` });
    this.live = new LiveReadings(this.client);
    await eventually(async () => expect(await metricsOf(url!)).toMatch(/^amr_subscribers\S* [1-9]/m));
  }

  private async bookReport({ body }: Delivery): Promise<Disposition> {
    const decoded = decode(ResultMessage, body);
    if (decoded.ok && decoded.message.type === 'published') {
      const { message } = decoded;
      await inTransaction(this.database.database.pool, (client) => bookPublished(client, [message]));
    }
    return ACK;
  }

  /** Starts a process without waiting until it is ready. */
  run(command: 'server' | 'ingester', settings: Settings = {}, proxied = false): AmrProcess {
    const { amqpUrl, queuePrefix } = this.brokers.config;
    const through = Object.assign(new URL(amqpUrl), { hostname: '127.0.0.1', port: String(this.proxy.port) }).href;
    const started = startAmr([command], {
      DATABASE_URL: this.database.url,
      AMQP_URL: proxied ? through : amqpUrl,
      AMR_QUEUE_PREFIX: queuePrefix,
      AMR_HTTP_PORT: '0',
      AMR_CREDENTIALS_PUBLIC_KEY: this.publicKey,
      ...settings,
    });
    this.processes.push(started);
    return started;
  }

  /** An ingester with these settings that consumes, and no other: the one that runs if there is one, else a new one. */
  async ingester(settings: Settings = {}): Promise<AmrProcess> {
    const running = this.ingesters.filter(({ amr }) => amr.running);
    const fitting = running.find((ingester) => isDeepStrictEqual(ingester.settings, settings));
    await Promise.all(running.filter((other) => other !== fitting).map(({ amr }) => amr.kill()));
    const amr = fitting?.amr ?? this.successor(settings);
    await amr.says(/^ready:/m);
    await this.consumers(1);
    return amr;
  }

  /** Starts an ingester besides others without waiting until it is ready. */
  successor(settings: Settings = {}): AmrProcess {
    const amr = this.run('ingester', { AMR_HEALTH_PORT: '0', ...settings }, true);
    this.ingesters.push({ amr, settings });
    return amr;
  }

  /** SIGKILL. What passes through the proxy arrives again afterwards. */
  async crash(amr: AmrProcess): Promise<void> {
    await amr.kill();
    this.proxy.restore();
  }

  /** Resolves when the broker has confirmed these messages and the publisher's last report of them. */
  async publish(messages: readonly UnsentReadings[]): Promise<void> {
    const publisher = new ReadingPublisher(this.broker, silentLog);
    await publishAll(publisher, messages);
    await publisher.stop();
  }

  /** Holds what `sql` locks, until the returned function is called. */
  async hold(sql: string): Promise<() => Promise<void>> {
    const client = await this.database.database.pool.connect();
    await client.query('begin');
    await client.query(sql);
    const release = async () => {
      if (!this.held.delete(release)) return;
      await client.query('rollback');
      client.release();
    };
    this.held.add(release);
    return release;
  }

  /** Resolves when a process waits for a lock in a statement that begins so. @returns the server's ids of those that wait */
  async waitsIn(statement: string, besides: readonly number[] = []): Promise<number[]> {
    return eventually(async () => {
      const { rows } = await this.database.database.pool.query<{ pid: number }>(
        `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
           and ltrim(query) like $1 || '%' and pid <> all($2::int[])`,
        [statement, besides],
      );
      expect(rows, `processes that wait in: ${statement}`).not.toEqual([]);
      return rows.map(({ pid }) => pid);
    });
  }

  async count(from: string): Promise<number> {
    const { rows } = await this.database.database.pool.query<{ n: number }>(`select count(*)::int as n from ${from}`);
    return rows[0]!.n;
  }

  /** Resolves when so many rows are there. */
  async counts(from: string, expected: number): Promise<void> {
    await eventually(async () => expect(await this.count(from), from).toBe(expected));
  }

  /** Resolves when the broker knows of so many consumers of `readings.new`. @returns the messages that wait there */
  async consumers(expected: number): Promise<number> {
    return eventually(async () => {
      const channel = await this.model.createChannel();
      const state = await channel.checkQueue(`${this.brokers.config.queuePrefix}readings.new`);
      await channel.close();
      expect(state.consumerCount, 'consumers').toBe(expected);
      return state.messageCount;
    });
  }

  /** How many messages wait once the broker has noticed that nobody consumes: none is in anybody's hand any more. */
  abandoned(): Promise<number> {
    return this.consumers(0);
  }

  /** Resolves when the ingesters that run have nothing left to do. */
  async idle(): Promise<void> {
    await eventually(async () => {
      expect(await this.broker.depth('readings.new'), 'messages in the queue').toBe(0);
      for (const { amr } of this.ingesters.filter(({ amr }) => amr.running && !amr.frozen)) {
        const [, url] = await amr.says(/^health: (\S+)/m);
        expect(await metricsOf(url!), 'messages in hand').toMatch(/^amr_ingest_messages_in_hand 0$/m);
      }
    });
  }

  /** Resolves when all that was published came to its end as it must; fails with what is different otherwise. */
  async settles(truth: PublishedTruth): Promise<void> {
    // Behind all that comes again: when it is stored, that has been delivered.
    await this.publish([truth.fresh(undefined, 1)]);
    const { outcomes, published, values } = truth;
    await this.counts('meter_reading', outcomes.stored);
    await this.idle();
    await eventually(async () => expect(await this.account()).toEqual({ published, ...outcomes, in_flight: 0 }));
    expect(await this.storedDifferences(values)).toEqual([]);
    const { stored, revised, staged, dead_lettered } = outcomes;
    expect({
      stored: await this.count('meter_reading'),
      revised: await this.count('meter_reading_revision'),
      staged: await this.count('staged_reading'),
      dead_lettered: await this.count(`dead_letter where state = 'dead'`),
      filedAgain: await this.count(`dead_letter where state = 'dead' and occurrences > 1`),
    }).toEqual({ stored, revised, staged, dead_lettered, filedAgain: 0 });
    await this.announces(values);
    expect(await this.count('alert where resolved_at is null')).toBe(0);
  }

  /** Ends ingesters and lets go of what is held: for the test after one that failed. */
  async tidy(): Promise<void> {
    for (const { amr } of this.ingesters) amr.resume();
    await Promise.all(this.ingesters.splice(0).map(({ amr }) => amr.kill()));
    await Promise.all([...this.held].map((release) => release()));
    this.proxy.restore();
  }

  async stop(): Promise<void> {
    await this.live?.stop();
    await this.tidy();
    await Promise.all(this.processes.map((amr) => amr.kill()));
    await this.proxy.close();
    await this.model.close();
    await this.brokers.dispose();
    await this.database.drop();
  }

  /** Each value once in the log, in positions without a hole, and so at a client that goes on from its cursor. */
  private async announces(values: ReadonlyMap<string, string>): Promise<void> {
    await this.counts('reading_log where position is null', 0);
    const { rows } = await this.database.database.pool.query<{ readings: number; rows: number; last: number }>(
      'select sum(reading_count)::int as readings, count(*)::int as rows, max(position)::int as last from reading_log',
    );
    expect(rows[0]).toEqual({ readings: values.size, rows: rows[0]!.last, last: rows[0]!.last });
    const missing = () => [...values].filter(([key, value]) => this.live.values.get(key) !== value);
    await eventually(async () => expect(missing()).toEqual([]));
    expect(this.live.repeats).toEqual([]);
    expect(this.live.values.size).toBe(values.size);
  }

  /** The account of all publishers, once every outcome has been folded into its minute. */
  private async account(): Promise<Record<string, number> | undefined> {
    expect(await this.count('reading_outcome'), 'outcomes to be folded').toBe(0);
    const { rows } = await this.database.database.pool.query<Record<string, number>>(
      `select sum(published)::int as published, sum(stored)::int as stored, sum(duplicate)::int as duplicate, sum(revised)::int as revised,
         sum(staged)::int as staged, sum(dead_lettered)::int as dead_lettered,
         (sum(abs(in_flight)) + count(*) filter (where not closed or publisher is null))::int as in_flight
       from loss_minute`,
    );
    return rows[0];
  }

  private async storedDifferences(values: ReadonlyMap<string, string>): Promise<string[]> {
    const { rows } = await this.database.database.pool.query<{ key: string; value: string }>(
      `select m.name || ' ' || s.name || ' ' || to_char(r.measured_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as key,
         r.value::text
       from meter_reading r join register g on g.id = r.register_id
       join meter_device m on m.id = g.meter_device_id join series s on s.id = g.series_id`,
    );
    const stored = new Map(rows.map(({ key, value }) => [key, value]));
    return [...new Set([...values.keys(), ...stored.keys()])]
      .filter((key) => values.get(key) !== stored.get(key))
      .map((key) => `${key}: ${stored.get(key)}, should be ${values.get(key)}`);
  }
}

function eventually<T>(look: () => Promise<T>): Promise<T> {
  return vi.waitFor(look, { timeout: SETTLED_MS, interval: 50 });
}

async function metricsOf(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}
