import { afterAll, beforeAll, expect, it } from 'vitest';
import { ACK, type Consumer } from '../../src/messaging/broker.js';
import type { NewMeterReadingMessage } from '../../src/messaging/contracts.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';

const brokers = testBrokers('memory:');
const messages: NewMeterReadingMessage[] = [];
let consumer: Consumer;
let api: TestApi;

beforeAll(async () => {
  const broker = await brokers.open();
  api = await createTestApi(broker);
  const take = async ({ body }: { body: Buffer }) => {
    messages.push(JSON.parse(body.toString()) as NewMeterReadingMessage);
    return ACK;
  };
  consumer = await broker.consume('readings.new', take, { prefetch: 10 });
});
afterAll(async () => {
  await consumer?.drain();
  await api?.drop();
  await brokers.dispose();
});

const SUBMIT = 'mutation ($input: SubmitReadingsInput!) { submitReadings(input: $input) { accepted } }';
const reading = (changes: object = {}) => ({
  ...{ meter: 'M1', series: '1-0:1.8.0', timestamp: '2026-01-31T10:00:00+01:00', value: '9000.1250', ...changes },
});

it('publishes readings by meter, in their order, and answers when they are confirmed', async () => {
  const many = Array.from({ length: 1_001 }, (_, index) => reading({ value: String(index) }));
  const readings = [...many, reading({ meter: 'M2', unit: 'kWh', status: 8 })];
  const input = { readings, origin: 'IMPORT', collectedAt: '2026-02-01T00:00:00Z' };
  expect(await api.run(SUBMIT, { input })).toEqual({ submitReadings: { accepted: 1_002 } });
  expect(messages.map(({ meter_device, readings: items }) => [meter_device, items.length])).toEqual([
    ['M1', 1_000],
    ['M1', 1],
    ['M2', 1],
  ]);
  expect(messages[0]!.readings.map(({ value }) => value)).toEqual(many.slice(0, 1_000).map(({ value }) => value));
  expect(messages[2]).toMatchObject({
    ...{ origin: 'import', organization: DEFAULT_ORGANIZATION_ID, collected_at: '2026-02-01T00:00:00.000Z' },
    readings: [
      { series: '1-0:1.8.0', timestamp: '2026-01-31T09:00:00.000Z', value: '9000.125', unit: 'kWh', status: 8 },
    ],
  });
});

it.each([
  [{ readings: [] }, 'input.readings', /1 to 10000 readings/],
  [{ readings: [reading(), reading({ meter: '' })] }, 'input.readings.1.meter', /must not be empty/],
  [{ readings: [reading({ timestamp: '1999-01-01T00:00:00Z' })] }, 'input.readings.0.timestamp', /from the year 2000/],
  [{ readings: [reading({ status: -1 })] }, 'input.readings.0.status', /whole number/],
  [{ readings: [reading()], origin: 'SCHEDULED' }, 'input.origin', /PUSH or IMPORT/],
])('refuses %j with the field', async (input, field, message) => {
  const failure = await api.failure(SUBMIT, { input });
  expect(failure).toMatchObject({ code: 'BAD_USER_INPUT', field });
  expect(failure.message).toMatch(message);
});
