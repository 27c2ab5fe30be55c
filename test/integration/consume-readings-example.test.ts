import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'amqplib';
import { afterEach, describe, expect, inject, it, vi } from 'vitest';
import { uuidAt } from '../../src/domain/uuid.js';
import { encode } from '../../src/messaging/contracts.js';
import { messagesOf } from '../../src/services/committed-messages.js';
import { testBrokers } from '../support/broker.js';
import { batchOf } from '../support/committed-readings.js';

const amqpUrl = inject('amqpUrl');
const within = { timeout: 20_000, interval: 20 };

describe.skipIf(amqpUrl === undefined)('docs/examples/consume-readings.mjs', () => {
  const brokers = testBrokers(amqpUrl ?? 'memory:');
  const queue = `${brokers.config.queuePrefix}my-readings`;
  afterEach(async () => {
    const connection = await connect(amqpUrl!);
    await (await connection.createChannel()).deleteQueue(queue);
    await connection.close();
    await brokers.dispose();
  });

  const start = (organization: string) => {
    const child = spawn(process.execPath, ['docs/examples/consume-readings.mjs', queue, `${organization}.#`], {
      env: { ...process.env, AMQP_URL: amqpUrl, AMR_QUEUE_PREFIX: brokers.config.queuePrefix, NODE_OPTIONS: '' },
    });
    const output = { text: '' };
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output.text += text));
    const ends = once(child, 'exit');
    const stop = async () => {
      child.kill('SIGTERM');
      await ends;
    };
    return { output, stop };
  };

  it('prints what is published for its organization once, also what came while it did not run', async () => {
    const broker = await brokers.open();
    const [organization, meter] = [uuidAt(), uuidAt()];
    const publish = async (position: number, to = organization) => {
      const batch = batchOf({ meter, count: 1, first: position });
      for (const message of messagesOf({ position, organization: to, batch }, new Map([[meter, 'Gas meter 1']])))
        await broker.publishTo('readings', `${to}.${meter}`, encode(message), { messageId: message.message_id });
    };
    const line = (position: number) => `2026-01-31T00:0${position}:00.000Z Gas meter 1 2:300 ${position} m3`;
    const first = start(organization);
    try {
      await vi.waitFor(() => expect(first.output.text).toContain('waiting on'), within);
      await publish(1);
      await publish(1); // comes again, as after a take-over
      await publish(2, uuidAt());
      await publish(3);
      await vi.waitFor(() => expect(first.output.text).toContain(line(3)), within);
      expect(first.output.text.split('\n').slice(1, -1)).toEqual([line(1), line(3)]);
    } finally {
      await first.stop();
    }
    await publish(4);
    const second = start(organization);
    try {
      await vi.waitFor(() => expect(second.output.text).toContain(line(4)), within);
      expect(second.output.text).not.toContain(line(3));
    } finally {
      await second.stop();
    }
  });
});
