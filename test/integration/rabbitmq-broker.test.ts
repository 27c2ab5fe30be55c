import { connect } from 'amqplib';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { StartupError } from '../../src/errors.js';
import { ACK, PublishError, type Broker } from '../../src/messaging/broker.js';
import { RabbitMqBroker } from '../../src/messaging/rabbitmq-broker.js';
import { brokerReconnects } from '../../src/messaging/messaging-metrics.js';
import { silentLog, testBrokers, type TestBrokers } from '../support/broker.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { openTopicQueue } from '../support/topic-queue.js';

const amqpUrl = inject('amqpUrl');
const title = amqpUrl ? 'RabbitMQ broker' : 'RabbitMQ broker (does not run: none answers, set AMQP_URL)';
const within = { timeout: 10_000, interval: 5 };

describe.skipIf(amqpUrl === undefined)(title, () => {
  let brokers: TestBrokers;
  let proxy: TcpProxy;
  let broker: Broker;

  beforeEach(async () => {
    brokers = testBrokers(amqpUrl!);
    const url = new URL(amqpUrl!);
    proxy = await startTcpProxy(url.hostname, Number(url.port || 5672));
    url.hostname = '127.0.0.1';
    url.port = String(proxy.port);
    broker = await RabbitMqBroker.connect({ amqpUrl: url.href, queuePrefix: brokers.config.queuePrefix }, silentLog);
  });
  afterEach(async () => {
    proxy.restore();
    await broker.close();
    await proxy.close();
    await brokers.dispose();
  });

  it('loses no message when the connection breaks while 2,000 are published and consumed', async () => {
    const received = new Set<string>();
    // Each cut is made once: what is delivered again after it leaves the set at the size that made it.
    const cutsAt = [300, 1200];
    const consumer = await broker.consume(
      'readings.new',
      async ({ body }) => {
        received.add(body.toString());
        if (received.size >= cutsAt[0]!) {
          cutsAt.shift();
          proxy.cut();
        }
        return ACK;
      },
      { prefetch: 50 },
    );
    const bodies = Array.from({ length: 2000 }, (_, i) => String(i));
    const reconnects = (await brokerReconnects.get()).values[0]!.value;
    await Promise.all(bodies.slice(0, 1000).map((body) => broker.publish('readings.new', Buffer.from(body))));
    proxy.cut();
    await Promise.all(bodies.slice(1000).map((body) => broker.publish('readings.new', Buffer.from(body))));
    await vi.waitFor(() => expect(received.size).toBe(2000), { ...within, timeout: 30_000 });
    expect((await brokerReconnects.get()).values[0]!.value).toBeGreaterThan(reconnects);
    await consumer.drain();
  });

  it('takes many small deliveries at once, few large ones', async () => {
    const held: (() => void)[] = [];
    const most = async (body: Buffer, messages: number, enough: number) => {
      await Promise.all(Array.from({ length: messages }, () => broker.publish('readings.new', body)));
      let hold = true;
      let received = 0;
      const consumer = await broker.consume(
        'readings.new',
        () => {
          received++;
          return hold ? new Promise((resolve) => held.push(() => resolve(ACK))) : Promise.resolve(ACK);
        },
        { prefetch: 2_000, maxBytes: 1_000_000 },
      );
      await vi.waitFor(() => expect(received).toBeGreaterThanOrEqual(enough), within);
      // A round trip: what was asked for has been delivered by its end.
      await broker.depth('readings.new');
      const inHand = received;
      hold = false;
      for (const release of held.splice(0)) release();
      await vi.waitFor(() => expect(received).toBe(messages), within);
      await consumer.drain();
      return inHand;
    };
    expect(await most(Buffer.alloc(100), 3_000, 2_000)).toBeGreaterThanOrEqual(2_000);
    // 50 at first, then one by one million bytes.
    expect(await most(Buffer.alloc(100_000), 300, 50)).toBeLessThan(100);
  });

  it('sends at most once what may not arrive twice, and says so when the connection breaks before the confirm', async () => {
    const received: string[] = [];
    const bodies = Array.from({ length: 500 }, (_, i) => String(i));
    const publishes = bodies.map((body) => broker.publish('amr.scheduled', Buffer.from(body), { once: true }));
    setImmediate(() => proxy.cut());
    const outcomes = await Promise.allSettled(publishes);
    const confirmed = bodies.filter((_, index) => outcomes[index]!.status === 'fulfilled');
    await broker.publish('amr.scheduled', Buffer.from('last'));
    await broker.consume(
      'amr.scheduled',
      async ({ body }) => {
        received.push(body.toString());
        return ACK;
      },
      { prefetch: 50 },
    );
    await vi.waitFor(() => expect(received).toContain('last'), within);
    expect(new Set(received).size).toBe(received.length);
    expect(received).toEqual(expect.arrayContaining(confirmed));
  });

  it('tells a handler that its delivery was taken back with the connection', async () => {
    const revoked: boolean[] = [];
    await broker.consume(
      'amr.scheduled',
      async (delivery) => {
        if (revoked.length > 0) return ACK;
        revoked.push(delivery.revoked!());
        proxy.cut();
        await vi.waitFor(() => expect(delivery.revoked!()).toBe(true), within);
        revoked.push(true);
        return ACK;
      },
      { prefetch: 1 },
    );
    await broker.publish('amr.scheduled', Buffer.from('session'));
    await vi.waitFor(() => expect(revoked).toEqual([false, true]), within);
  });

  it('delivers again, marked as redelivered, what was in hand when the connection broke', async () => {
    const redelivered: boolean[] = [];
    await broker.consume(
      'amr.scheduled',
      async (delivery) => {
        redelivered.push(delivery.redelivered);
        if (redelivered.length === 1) proxy.cut();
        return ACK; // too late for the first: its channel is gone
      },
      { prefetch: 1 },
    );
    await broker.publish('amr.scheduled', Buffer.from('session'));
    await vi.waitFor(() => expect(redelivered).toEqual([false, true]), within);
  });

  it('keeps to the prefetch after a reconnect, while what was in hand before is still being handled', async () => {
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    const handled: string[] = [];
    const consumer = await broker.consume(
      'amr.scheduled',
      async ({ body }) => {
        handled.push(body.toString());
        await released;
        return ACK;
      },
      { prefetch: 1 },
    );
    await broker.publish('amr.scheduled', Buffer.from('slow'));
    await vi.waitFor(() => expect(handled).toEqual(['slow']), within);
    proxy.cut();
    await vi.waitFor(() => expect(broker.connected).toBe(false), within);
    // Confirmed by the new connection, after its consumers have been set up.
    await broker.publish('amr.scheduled', Buffer.from('next'));
    const other = broker.consume('amr.on_demand', async () => (handled.push('other'), ACK), { prefetch: 1 });
    await broker.publish('amr.on_demand', Buffer.alloc(0));
    await vi.waitFor(() => expect(handled).toEqual(['slow', 'other']), within);
    release();
    await vi.waitFor(() => expect(handled).toEqual(['slow', 'other', 'slow', 'next']), within);
    await Promise.all([consumer.drain(), (await other).drain()]);
  });

  it('publishes after the outage what was published during it', async () => {
    proxy.block();
    await vi.waitFor(() => expect(broker.connected).toBe(false), within);
    const published = broker.publish('amr.scheduled', Buffer.from('patient'));
    proxy.restore();
    await published;
    // Its channel is open before the last of the others is.
    await vi.waitFor(() => expect(broker.connected).toBe(true), within);
  });

  it('rejects at the deadline what is published during an outage, and does not send it later', async () => {
    proxy.block();
    await vi.waitFor(() => expect(broker.connected).toBe(false), within);
    const published = broker.publish('amr.scheduled', Buffer.from('stale'), { confirmTimeoutMs: 50 });
    await expect(published).rejects.toThrow(PublishError);
    proxy.restore();
    await broker.publish('amr.scheduled', Buffer.from('fresh'));
    const received: string[] = [];
    await broker.consume('amr.scheduled', async ({ body }) => (received.push(body.toString()), ACK), { prefetch: 1 });
    await vi.waitFor(() => expect(received).toEqual(['fresh']), within);
  });

  it('tells a listener of the gap after a reconnect and goes on', async () => {
    const heard: string[] = [];
    await broker.listen(
      'readings.committed',
      (body) => heard.push(body.toString()),
      () => heard.push('gap'),
    );
    await broker.broadcast('readings.committed', Buffer.from('1'));
    await vi.waitFor(() => expect(heard).toEqual(['1']), within);
    proxy.cut();
    await vi.waitFor(() => expect(heard).toEqual(['1', 'gap']), within);
    await vi.waitFor(async () => {
      await broker.broadcast('readings.committed', Buffer.from('2'));
      expect(heard.at(-1)).toBe('2');
    }, within);
  });

  it('declares the queue and subscribes again when the broker ends a consumer', async () => {
    const received: string[] = [];
    await broker.consume('amr.results', async ({ body }) => (received.push(body.toString()), ACK), { prefetch: 1 });
    await deleteQueue(`${brokers.config.queuePrefix}amr.results`);
    await vi.waitFor(() => broker.publish('amr.results', Buffer.from('back')), within);
    await vi.waitFor(() => expect(received).toEqual(['back']), within);
  });

  it('rejects a publish to a queue that is gone', async () => {
    await deleteQueue(`${brokers.config.queuePrefix}amr.results`);
    await expect(broker.publish('amr.results', Buffer.from('?'))).rejects.toThrow(/has no queue test-.*amr\.results/);
  });

  it('publishes to topics persistently, under the id it was given', async () => {
    const queue = await openTopicQueue(broker, brokers.config, 'readings', '#');
    try {
      await broker.publishTo('readings', 'org.meter', Buffer.from('r'), { messageId: 'id-r' });
      const message = { routingKey: 'org.meter', messageId: 'id-r', persistent: true, body: 'r' };
      await vi.waitFor(() => expect(queue.messages).toEqual([message]), within);
    } finally {
      await queue.close();
    }
  });

  it('publishes to topics after the outage what was published during it', async () => {
    const queue = await openTopicQueue(broker, brokers.config, 'readings', '#');
    try {
      proxy.block();
      await vi.waitFor(() => expect(broker.connected).toBe(false), within);
      const published = broker.publishTo('readings', 'org.meter', Buffer.from('patient'));
      proxy.restore();
      await published;
      await vi.waitFor(() => expect(queue.messages.map(({ body }) => body)).toEqual(['patient']), within);
    } finally {
      await queue.close();
    }
  });

  it('rejects when the full queue of a program refuses a message, and goes on', async () => {
    const queue = `${brokers.config.queuePrefix}integrator`;
    const full = { 'x-max-length': 1, 'x-overflow': 'reject-publish' };
    await withChannel(async (channel) => {
      await channel.assertQueue(queue, { durable: true, arguments: full, autoDelete: false });
      await channel.bindQueue(queue, `${brokers.config.queuePrefix}readings`, 'org.#');
    });
    try {
      await broker.publishTo('readings', 'org.meter', Buffer.from('1'));
      const refused = broker.publishTo('readings', 'org.meter', Buffer.from('2'));
      await expect(refused).rejects.toThrow(/readings was not confirmed: RabbitMQ refused it/);
      await broker.publishTo('readings', 'other.meter', Buffer.from('3'));
    } finally {
      await deleteQueue(queue);
    }
  });

  it('declares a topic exchange that somebody deleted, and publishes to queues undisturbed', async () => {
    await withChannel((channel) => channel.deleteExchange(`${brokers.config.queuePrefix}readings`));
    const published = broker.publishTo('readings', 'org.meter', Buffer.from('again'));
    await broker.publish('amr.scheduled', Buffer.from('session'), { once: true });
    await published;
    await withChannel((channel) => channel.checkExchange(`${brokers.config.queuePrefix}readings`));
  });

  it('drains and closes while the connection is down', async () => {
    const consumer = await broker.consume('amr.scheduled', async () => ACK, { prefetch: 1 });
    proxy.block();
    await vi.waitFor(() => expect(broker.connected).toBe(false), within);
    await consumer.drain();
    await broker.close();
  });
});

describe.skipIf(amqpUrl === undefined)(`${title}, at start`, () => {
  it('names a queue that exists with other arguments, and the cure', async () => {
    const brokers = testBrokers(amqpUrl!);
    const queue = `${brokers.config.queuePrefix}amr.scheduled`;
    try {
      await withChannel((channel) => channel.assertQueue(queue, { durable: true }));
      const failure = await brokers.open().then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(StartupError);
      expect(failure).toMatchObject({ code: 'TOPOLOGY_MISMATCH' });
      expect(String(failure)).toContain(`Queue ${queue} exists on the broker with other arguments`);
      expect(String(failure)).toMatch(/drain it, delete it .*AMR_QUEUE_PREFIX/);
    } finally {
      await brokers.dispose();
    }
  });

  it('says where it looked when nothing answers', async () => {
    const proxy = await startTcpProxy('127.0.0.1', 1);
    await proxy.close(); // a port that was free a moment ago
    const config = { amqpUrl: `amqp://user:secret@127.0.0.1:${proxy.port}`, queuePrefix: '' };
    const failure = RabbitMqBroker.connect(config, silentLog, 300);
    await expect(failure).rejects.toThrow(StartupError);
    await expect(failure).rejects.toThrow(new RegExp(`127\\.0\\.0\\.1:${proxy.port} cannot be used: .*ECONNREFUSED`));
    await expect(failure).rejects.not.toThrow(/secret/);
  });

  it('does not try again with a wrong password', async () => {
    const url = new URL(amqpUrl!);
    url.password = 'wrong';
    const failure = RabbitMqBroker.connect({ amqpUrl: url.href, queuePrefix: '' }, silentLog, 15_000);
    await expect(failure).rejects.toThrow(/refuses the connection: .*Check user, password/);
  });
});

type Channel = Awaited<ReturnType<Awaited<ReturnType<typeof connect>>['createChannel']>>;

async function withChannel<T>(use: (channel: Channel) => Promise<T>): Promise<T> {
  const connection = await connect(amqpUrl!);
  try {
    return await use(await connection.createChannel());
  } finally {
    await connection.close();
  }
}

const deleteQueue = (name: string) => withChannel((channel) => channel.deleteQueue(name));
