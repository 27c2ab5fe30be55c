import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import type { Broker, Consumer } from '../../src/messaging/broker.js';
import { Ingester } from '../../src/services/ingest/ingester.js';
import { silentLog, testBrokers } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { ingestSettings } from '../support/ingest.js';
import { insertMeter } from '../support/rows.js';

const amqpUrl = inject('amqpUrl');
// Debian's package belongs to Debian's interpreter, which need not be the first one in the path.
const python = ['python3', '/usr/bin/python3'].find(
  (path) => spawnSync(path, ['-c', 'import pika'], { timeout: 20_000 }).status === 0,
);
const missing = !amqpUrl ? 'RabbitMQ' : python === undefined ? 'python3-pika' : undefined;

describe.skipIf(missing !== undefined)(
  `a publisher with a client of its own${missing ? ` (needs ${missing})` : ''}`,
  () => {
    const brokers = testBrokers(amqpUrl ?? 'memory:');
    const queue = `${brokers.config.queuePrefix}readings.new`;
    let test: TestDatabase;
    let broker: Broker;
    let ingester: Ingester;
    let consumer: Consumer;
    beforeAll(async () => {
      test = await createTestDatabase();
      broker = await brokers.open();
      ingester = new Ingester(test.database.pool, broker, ingestSettings({ ingestWindowMs: 1 }), silentLog);
      consumer = await broker.consume('readings.new', ingester.handle, { prefetch: 100 });
    });
    afterAll(async () => {
      const drained = consumer?.drain();
      await ingester?.stop();
      await drained;
      await brokers.dispose();
      await test?.drop();
    });

    const publish = (to: string, ...messages: object[]) =>
      spawnSync(python!, ['test/support/publish.py', amqpUrl!, to], {
        input: messages.map((message) => JSON.stringify(message)).join('\n'),
        encoding: 'utf8',
        timeout: 30_000,
      });

    it('has the short and the long form of its readings stored, exact and at their instants', async () => {
      const meter = await insertMeter(test.database.pool, 'Zähler Süd', { serial_number: '4711' });
      const short = { meter: 'Zähler Süd', series: '7-0:13.26.0*101', timestamp: '2026-01-31T10:00:00+01:00' };
      const long = {
        version: 1,
        meter_device: meter,
        origin: 'import',
        collected_at: '2026-01-31T12:00:07Z',
        readings: [
          { series: '7-0:13.26.0*101', timestamp: '2026-01-31T10:00:00Z', value: '9000.2500', unit: 'm3', status: 0 },
          { series: 'temperature', timestamp: '2026-01-31T11:00:00Z', value: '-3.5', unit: '°C', status: 8 },
        ],
      };
      expect(publish(queue, { ...short, value: '9000.1250' }, long)).toMatchObject({ status: 0, stderr: '' });
      await vi.waitFor(
        async () => {
          const { rows } = await test.database.pool.query(
            `select m.name, s.name as series, s.unit, r.measured_at as at, r.value, r.quality from meter_reading r
           join register g on g.id = r.register_id join series s on s.id = g.series_id join meter_device m on m.id = g.meter_device_id
           order by r.measured_at`,
          );
          const at = (hour: number) => new Date(Date.UTC(2026, 0, 31, hour));
          expect(rows).toMatchObject([
            { name: 'Zähler Süd', series: '7-0:13.26.0*101', at: at(9), value: '9000.1250', quality: 0 },
            { series: '7-0:13.26.0*101', at: at(10), value: '9000.2500', quality: 0 },
            { series: 'temperature', unit: '°C', at: at(11), value: '-3.5', quality: 8 },
          ]);
        },
        { timeout: 10_000, interval: 20 },
      );
    });

    it('is told when no queue takes its message', () => {
      const { status, stderr } = publish(`${queue}.elsewhere`, { meter: 'x' });
      expect(status).not.toBe(0);
      expect(stderr).toContain('UnroutableError');
    });
  },
);
