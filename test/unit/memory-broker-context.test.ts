import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { silentLog } from '../support/broker.js';

let broker: MemoryBroker;
beforeEach(() => {
  broker = new MemoryBroker(silentLog);
});
afterEach(() => broker.close());

// Else the ingester's work would end when the request that published runs out of time.
it('a consumer is not part of the work that published, a listener neither', async () => {
  const work = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const consumer = await broker.consume(
    'readings.new',
    async () => {
      seen.push(work.getStore());
      return { kind: 'ack' };
    },
    { prefetch: 1 },
  );
  const heard = new Promise<void>((resolve, reject) => {
    broker
      .listen('runs.changed', () => {
        seen.push(work.getStore());
        resolve();
      })
      .catch(reject);
  });
  await work.run('a request', async () => {
    await broker.publish('readings.new', Buffer.from('{}'));
    await broker.broadcast('runs.changed', Buffer.from('{}'));
  });
  await heard;
  expect(seen).toEqual([undefined, undefined]);
  await consumer.drain();
});
