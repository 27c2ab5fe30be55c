import { IllegalOperationError, type Channel, type ConsumeMessage } from 'amqplib';

/**
 * Acknowledgements of one channel. Those that end a gapless run of deliveries go out as one frame with the `multiple`
 * flag: a batch of 5,000 one-reading messages is one write to the socket instead of 5,000, which took a seventh of an
 * ingester's time. Delivery tags count up from 1 on each channel (AMQP 0-9-1, basic.deliver).
 */
export class CoalescedAcks {
  /** The lowest tag that is not settled yet. */
  private lowest = 1;
  /** Settled tags above `lowest` that the broker knows of. */
  private readonly gone = new Set<number>();
  /** Acknowledged tags that it does not know of yet. */
  private readonly pending = new Set<number>();
  private flushing: NodeJS.Immediate | undefined;
  private holding: NodeJS.Timeout | undefined;

  /** @param holdMs longest wait of an acknowledgement for those before it, so that more go out together */
  constructor(
    private readonly channel: Channel,
    private readonly holdMs = 0,
  ) {}

  ack(message: ConsumeMessage): void {
    this.pending.add(message.fields.deliveryTag);
    this.flushing ??= setImmediate(() => this.flushRun());
  }

  requeue(message: ConsumeMessage): void {
    this.gone.add(message.fields.deliveryTag);
    ifOpen(() => this.channel.nack(message, false, true));
  }

  /** Sends what waits. */
  flush(): void {
    clearTimeout(this.holding);
    this.holding = undefined;
    this.flushRun();
    this.flushRest();
  }

  private flushRest(): void {
    for (const tag of this.pending) {
      this.send(tag, false);
      this.gone.add(tag);
    }
    this.pending.clear();
  }

  private flushRun(): void {
    clearImmediate(this.flushing);
    this.flushing = undefined;
    let last: number | undefined;
    for (let tag = this.lowest; ; tag++) {
      if (this.pending.delete(tag)) last = tag;
      else if (!this.gone.delete(tag)) {
        this.lowest = tag;
        break;
      }
    }
    // `multiple` needs a tag that is still open: the last acknowledged one, not one that was requeued after it.
    if (last !== undefined) this.send(last, true);
    if (this.pending.size === 0) return;
    if (this.holdMs === 0) this.flushRest();
    else this.holding ??= setTimeout(() => this.flush(), this.holdMs).unref();
  }

  private send(deliveryTag: number, multiple: boolean): void {
    ifOpen(() => this.channel.ack({ fields: { deliveryTag } } as ConsumeMessage, multiple));
  }
}

/** What was delivered on a lost channel cannot be settled and need not be: it is delivered again. */
function ifOpen(settle: () => void): void {
  try {
    settle();
  } catch (error) {
    if (!(error instanceof IllegalOperationError)) throw error;
  }
}
