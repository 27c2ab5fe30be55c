import type { Channel, ConsumeMessage } from 'amqplib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CoalescedAcks } from '../../src/messaging/coalesced-acks.js';

const message = (deliveryTag: number) => ({ fields: { deliveryTag } }) as ConsumeMessage;

/** A broker's side of one channel: which tags are open; refuses what RabbitMQ refuses. */
class OpenTags {
  readonly open: Set<number>;
  readonly acked = new Set<number>();
  frames = 0;
  constructor(count: number) {
    this.open = new Set(Array.from({ length: count }, (_, index) => index + 1));
  }
  readonly channel = {
    ack: ({ fields: { deliveryTag } }: ConsumeMessage, multiple: boolean) => {
      this.frames++;
      if (!this.open.has(deliveryTag)) throw new Error(`unknown delivery tag ${deliveryTag}`);
      for (const tag of [...this.open].filter((tag) => (multiple ? tag <= deliveryTag : tag === deliveryTag))) {
        this.open.delete(tag);
        this.acked.add(tag);
      }
    },
    nack: ({ fields: { deliveryTag } }: ConsumeMessage) => {
      if (!this.open.delete(deliveryTag)) throw new Error(`unknown delivery tag ${deliveryTag}`);
    },
  } as unknown as Channel;
}

describe('coalesced acknowledgements', () => {
  it('send one frame for a gapless run', () => {
    const broker = new OpenTags(5_000);
    const acks = new CoalescedAcks(broker.channel);
    for (let tag = 1; tag <= 5_000; tag++) acks.ack(message(tag));
    acks.flush();
    expect(broker.frames).toBe(1);
    expect(broker.acked.size).toBe(5_000);
  });

  it('acknowledge exactly what was acknowledged, in any order, with requeues and flushes between', () => {
    const steps = fc.integer({ min: 1, max: 40 }).chain((count) =>
      fc.record({
        count: fc.constant(count),
        order: fc.shuffledSubarray(
          Array.from({ length: count }, (_, index) => index + 1),
          { minLength: 0, maxLength: count },
        ),
        requeued: fc.func(fc.boolean()),
        flushed: fc.func(fc.boolean()),
      }),
    );
    fc.assert(
      fc.property(steps, ({ count, order, requeued, flushed }) => {
        const broker = new OpenTags(count);
        const acks = new CoalescedAcks(broker.channel);
        for (const tag of order) {
          if (requeued(tag)) acks.requeue(message(tag));
          else acks.ack(message(tag));
          if (flushed(tag)) acks.flush();
        }
        acks.flush();
        expect(broker.acked).toEqual(new Set(order.filter((tag) => !requeued(tag))));
        expect(broker.open.size).toBe(count - order.length);
      }),
    );
  });
});
