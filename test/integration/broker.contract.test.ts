import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import {
  ACK,
  DEAD_LETTER_HEADERS,
  PublishError,
  REQUEUE,
  type Broker,
  type Delivery,
  type Disposition,
} from '../../src/messaging/broker.js';
import type { QueueName } from '../../src/messaging/topology.js';
import { testBrokers, type TestBrokers } from '../support/broker.js';
import { openTopicQueue } from '../support/topic-queue.js';

const amqpUrl = inject('amqpUrl');
const BROKERS: [name: string, url: string | undefined][] = [
  ['in-process broker', 'memory:'],
  [amqpUrl ? 'RabbitMQ' : 'RabbitMQ (does not run: none answers, set AMQP_URL)', amqpUrl],
];

/** Deliveries as they come, to be awaited one by one; each is settled as `settle` says. */
function inbox(settle: (delivery: Delivery, index: number) => Disposition | Promise<Disposition> = () => ACK) {
  const deliveries: Delivery[] = [];
  return {
    deliveries,
    handler: async (delivery: Delivery) => settle(delivery, deliveries.push(delivery) - 1),
    async holds(count: number): Promise<Delivery[]> {
      await vi.waitFor(() => expect(deliveries.length).toBeGreaterThanOrEqual(count), { timeout: 10_000, interval: 5 });
      return deliveries;
    },
  };
}

/** A promise with its settling functions. */
function gate() {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}

const text = (delivery: Delivery) => delivery.body.toString();

describe.each(BROKERS)('%s', (_name, url) => {
  describe.skipIf(url === undefined)('as a broker', () => {
    let brokers: TestBrokers;
    let broker: Broker;

    beforeEach(async () => {
      brokers = testBrokers(url!);
      broker = await brokers.open();
    });
    afterEach(() => brokers.dispose());

    const consume = async (queue: QueueName, settle?: Parameters<typeof inbox>[0], prefetch = 10) => {
      const box = inbox(settle);
      const consumer = await broker.consume(queue, box.handler, { prefetch });
      return { ...box, consumer };
    };

    it('says what it is and that it is connected, without credentials', () => {
      expect(broker.connected).toBe(true);
      expect(broker.description).toMatch(/^(in-process broker|RabbitMQ \d+\.\d+\.\d+ at [^@]+)$/);
    });

    it('delivers messages in order with their identity and headers', async () => {
      const before = Date.now();
      const box = await consume('readings.new');
      await Promise.all([
        broker.publish('readings.new', Buffer.from('a'), { messageId: 'id-a', headers: { traceparent: '00-1' } }),
        broker.publish('readings.new', Buffer.from('b')),
        broker.publish('readings.new', Buffer.from('c')),
      ]);
      const [first, ...rest] = await box.holds(3);
      expect(first).toMatchObject({ messageId: 'id-a', headers: { traceparent: '00-1' }, redelivered: false });
      expect(first!.publishedAt).toBeGreaterThanOrEqual(before);
      expect(first!.publishedAt).toBeLessThanOrEqual(Date.now());
      expect([first!, ...rest].map(text)).toEqual(['a', 'b', 'c']);
      expect(rest[0]!.messageId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
      expect(rest[0]!.headers).toEqual({});
    });

    it('confirms a session message before anybody consumes it', async () => {
      await broker.publish('amr.scheduled', Buffer.from('waits'));
      const box = await consume('amr.scheduled');
      expect((await box.holds(1)).map(text)).toEqual(['waits']);
    });

    it('keeps no more deliveries in hand than the prefetch, and goes on as they are settled', async () => {
      const hold = gate();
      let inHand = 0;
      let most = 0;
      const settle = async () => {
        most = Math.max(most, ++inHand);
        await hold.opened;
        inHand--;
        return ACK;
      };
      for (let i = 0; i < 20; i++) await broker.publish('amr.on_demand', Buffer.from(String(i)));
      const box = await consume('amr.on_demand', settle, 3);
      await box.holds(3);
      // A message to another queue comes through meanwhile, and nothing more of this one.
      await broker.publish('amr.scheduled', Buffer.from('other'));
      await (await consume('amr.scheduled')).holds(1);
      expect(box.deliveries).toHaveLength(3);
      hold.open();
      await box.holds(20);
      expect(most).toBe(3);
    });

    it('delivers a requeued message again, marked as redelivered', async () => {
      const box = await consume('amr.scheduled', (_delivery, index) => (index === 0 ? REQUEUE : ACK));
      await broker.publish('amr.scheduled', Buffer.from('again'));
      const [first, second] = await box.holds(2);
      expect([first!.redelivered, second!.redelivered]).toEqual([false, true]);
      expect(text(second!)).toBe('again');
      expect(second!.messageId).toBe(first!.messageId);
    });

    it('moves a message to the dead-letter queue with the reason, the queue and its own headers', async () => {
      const dead = await consume('readings.new.dead');
      await consume('readings.new', () => ({ kind: 'dead-letter', reason: 'not JSON: ünexpected' }));
      await broker.publish('readings.new', Buffer.from('{'), { messageId: 'poison', headers: { traceparent: '00-2' } });
      const [letter] = await dead.holds(1);
      expect(letter).toMatchObject({ messageId: 'poison', redelivered: false });
      expect(text(letter!)).toBe('{');
      expect(letter!.headers).toMatchObject({
        traceparent: '00-2',
        [DEAD_LETTER_HEADERS.reason]: 'not JSON: ünexpected',
        [DEAD_LETTER_HEADERS.queue]: 'readings.new',
      });
    });

    it('goes on after a dead letter', async () => {
      await consume('readings.new.dead');
      const box = await consume('readings.new', (delivery) =>
        text(delivery) === 'bad' ? { kind: 'dead-letter', reason: 'bad' } : ACK,
      );
      await Promise.all(['good', 'bad', 'fine'].map((body) => broker.publish('readings.new', Buffer.from(body))));
      expect((await box.holds(3)).map(text)).toEqual(['good', 'bad', 'fine']);
    });

    it('takes a message published to a dead-letter queue', async () => {
      const dead = await consume('amr.results.dead');
      await broker.publish('amr.results.dead', Buffer.from('by hand'));
      expect((await dead.holds(1)).map(text)).toEqual(['by hand']);
    });

    it('dead-letters a message that expired before it was delivered', async () => {
      const dead = await consume('amr.scheduled.dead');
      await broker.publish('amr.scheduled', Buffer.from('late'), { expiresAfterMs: 20 });
      const [letter] = await dead.holds(1);
      expect(text(letter!)).toBe('late');
      expect(letter!.headers).toMatchObject({
        [DEAD_LETTER_HEADERS.reason]: 'expired',
        [DEAD_LETTER_HEADERS.queue]: 'amr.scheduled',
      });
      const box = await consume('amr.scheduled');
      await broker.publish('amr.scheduled', Buffer.from('in time'), { expiresAfterMs: 60_000 });
      expect((await box.holds(1)).map(text)).toEqual(['in time']);
    });

    it('requeues the delivery of a handler that throws, after a second', async () => {
      const times: number[] = [];
      const box = await consume('amr.scheduled', (_delivery, index) => {
        times.push(performance.now());
        if (index === 0) throw new Error('out of order');
        return ACK;
      });
      await broker.publish('amr.scheduled', Buffer.from('try twice'));
      const [, second] = await box.holds(2);
      expect(second!.redelivered).toBe(true);
      expect(times[1]! - times[0]!).toBeGreaterThan(950);
    });

    it('never calls a handler inside publish', async () => {
      const box = await consume('amr.scheduled');
      const published = broker.publish('amr.scheduled', Buffer.from('later'));
      expect(box.deliveries).toHaveLength(0);
      await published;
      await box.holds(1);
    });

    it('shares the messages of a queue among its consumers', async () => {
      const hold = gate();
      const settle = () => hold.opened.then(() => ACK);
      const boxes = [await consume('amr.scheduled', settle, 1), await consume('amr.scheduled', settle, 1)];
      await broker.publish('amr.scheduled', Buffer.from('one'));
      await broker.publish('amr.scheduled', Buffer.from('two'));
      const bodies = (await Promise.all(boxes.map((box) => box.holds(1)))).map(([delivery]) => text(delivery!));
      expect(bodies.sort()).toEqual(['one', 'two']);
      hold.open();
    });

    it('broadcasts to every listener of the exchange and to no other, until it drains', async () => {
      const heard: Record<string, string[]> = { first: [], second: [], other: [] };
      const hear = (name: string) => (body: Buffer) => void heard[name]!.push(body.toString());
      const first = await broker.listen('readings.committed', hear('first'));
      await broker.listen('readings.committed', hear('second'));
      await broker.listen('runs.changed', hear('other'));
      await broker.broadcast('readings.committed', Buffer.from('1'));
      await broker.broadcast('readings.committed', Buffer.from('2'));
      await vi.waitFor(() => expect(heard).toEqual({ first: ['1', '2'], second: ['1', '2'], other: [] }));
      await first.drain();
      await broker.broadcast('readings.committed', Buffer.from('3'));
      await vi.waitFor(() => expect(heard['second']).toEqual(['1', '2', '3']));
      expect(heard['first']).toEqual(['1', '2']);
    });

    it('keeps a listener that throws', async () => {
      const heard: string[] = [];
      await broker.listen('runs.changed', (body) => {
        heard.push(body.toString());
        throw new Error('listener fault');
      });
      await broker.broadcast('runs.changed', Buffer.from('1'));
      await broker.broadcast('runs.changed', Buffer.from('2'));
      await vi.waitFor(() => expect(heard).toEqual(['1', '2']));
    });

    it('broadcasts into the void without complaint', async () => {
      await expect(broker.broadcast('runs.changed', Buffer.from('nobody'))).resolves.toBeUndefined();
    });

    it('publishes to a topic exchange by pattern, in order, to every queue bound', async () => {
      const keys = ['org-1.meter-1', 'org-1.meter-2', 'org-2.meter-1', 'org-1', 'org-1.meter-1.more'];
      const expected: Record<string, string[]> = {
        'org-1.*': ['org-1.meter-1', 'org-1.meter-2'],
        'org-1.#': ['org-1.meter-1', 'org-1.meter-2', 'org-1', 'org-1.meter-1.more'],
        '*.meter-1': ['org-1.meter-1', 'org-2.meter-1'],
        '#': keys,
        'org-1.meter-2': ['org-1.meter-2'],
        'org-3.#': [],
      };
      const patterns = Object.keys(expected);
      const queues = await Promise.all(
        patterns.map((pattern) => openTopicQueue(broker, brokers.config, 'readings', pattern)),
      );
      try {
        await Promise.all(keys.map((key) => broker.publishTo('readings', key, Buffer.from(key))));
        await broker.publishTo('alerts', 'org-1.meter-1', Buffer.from('not theirs'));
        await vi.waitFor(() => {
          const received = queues.map(({ messages }) => messages.map(({ body }) => body));
          expect(Object.fromEntries(patterns.map((pattern, index) => [pattern, received[index]]))).toEqual(expected);
        });
      } finally {
        await Promise.all(queues.map((queue) => queue.close()));
      }
    });

    it('confirms what is published to a topic exchange where nobody is bound', async () => {
      await expect(broker.publishTo('alerts', 'org.alert', Buffer.from('nobody'))).resolves.toBeUndefined();
    });

    it('rejects what is published to a topic exchange after close', async () => {
      await broker.close();
      await expect(broker.publishTo('alerts', 'org', Buffer.from('late'))).rejects.toThrow(PublishError);
    });

    it('drains: waits for what is in hand, takes nothing more, leaves the rest to others', async () => {
      const hold = gate();
      const box = await consume('amr.scheduled', () => hold.opened.then(() => ACK), 1);
      await broker.publish('amr.scheduled', Buffer.from('in hand'));
      await broker.publish('amr.scheduled', Buffer.from('left'));
      await box.holds(1);
      let drained = false;
      const drain = box.consumer.drain().then(() => (drained = true));
      await broker.publish('amr.on_demand', Buffer.from('meanwhile'));
      expect(drained).toBe(false);
      hold.open();
      await drain;
      const heir = await consume('amr.scheduled');
      expect((await heir.holds(1)).map(text)).toEqual(['left']);
      expect(box.deliveries.map(text)).toEqual(['in hand']);
    });

    it('carries a body of 5 MB unchanged', async () => {
      const body = Buffer.alloc(5_000_000, 'real data ');
      const box = await consume('readings.new');
      await broker.publish('readings.new', body);
      const [delivery] = await box.holds(1);
      expect(delivery!.body.equals(body)).toBe(true);
    });

    it('carries an empty body', async () => {
      const box = await consume('readings.new');
      await broker.publish('readings.new', Buffer.alloc(0));
      expect((await box.holds(1))[0]!.body).toHaveLength(0);
    });

    it('rejects what is published after close, and closes twice', async () => {
      await broker.close();
      expect(broker.connected).toBe(false);
      await expect(broker.publish('readings.new', Buffer.from('late'))).rejects.toThrow(PublishError);
      await expect(broker.consume('readings.new', async () => ACK, { prefetch: 1 })).rejects.toThrow(/closed/);
      await broker.close();
    });

    it('refuses more outstanding bytes than its bound, and takes messages again afterwards', async () => {
      const chunk = Buffer.alloc(4_000_000);
      const publishes = Array.from({ length: 70 }, () => broker.publish('amr.results', chunk, { confirmTimeoutMs: 1 }));
      const outcomes = await Promise.allSettled(publishes);
      const refusals = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => String(reason));
      expect(refusals.some((refusal) => /PublishError.*bytes would wait/.test(refusal))).toBe(true);
      await broker.publish('amr.scheduled', Buffer.from('small'));
    });
  });
});

describe('in-process broker, whose messages die with the process', () => {
  let brokers: TestBrokers;
  let broker: Broker;

  beforeEach(async () => {
    brokers = testBrokers('memory:');
    broker = await brokers.open();
  });
  afterEach(() => brokers.dispose());

  it('confirms a reading only when its consumer has acknowledged it', async () => {
    const hold = gate();
    const box = inbox(() => hold.opened.then(() => ACK));
    await broker.consume('readings.new', box.handler, { prefetch: 1 });
    let confirmed = false;
    const published = broker.publish('readings.new', Buffer.from('r')).then(() => (confirmed = true));
    await box.holds(1);
    expect(confirmed).toBe(false);
    hold.open();
    await published;
  });

  it('confirms a poison message only when the dead-letter consumer has acknowledged it', async () => {
    const hold = gate();
    await broker.consume('readings.new', async () => ({ kind: 'dead-letter', reason: 'bad' }), { prefetch: 1 });
    const dead = inbox(() => hold.opened.then(() => ACK));
    await broker.consume('readings.new.dead', dead.handler, { prefetch: 1 });
    let confirmed = false;
    const published = broker.publish('readings.new', Buffer.from('{')).then(() => (confirmed = true));
    await dead.holds(1);
    expect(confirmed).toBe(false);
    hold.open();
    await published;
  });

  it('rejects a reading that nobody consumes when its confirm is due', async () => {
    const published = broker.publish('readings.new', Buffer.from('r'), { confirmTimeoutMs: 50 });
    await expect(published).rejects.toThrow(/readings\.new was not confirmed: its confirm did not arrive in time/);
  });

  it('rejects when a queue is full', async () => {
    const publishes = Array.from({ length: 50_001 }, () => broker.publish('amr.scheduled', Buffer.from('s')));
    const last = publishes.pop();
    await expect(last).rejects.toThrow(/the queue is full/);
    await Promise.all(publishes);
  });

  it('fails what nobody will acknowledge any more when it closes', async () => {
    const published = broker.publish('readings.new', Buffer.from('r'));
    const failure = expect(published).rejects.toThrow(/the broker was closed first/);
    await broker.close();
    await failure;
  });
});
