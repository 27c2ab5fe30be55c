import type { Channel, ChannelModel } from 'amqplib';
import { messageOf } from '../errors.js';
import type { Logger } from '../telemetry.js';

const REOPEN_DELAY_MS = 1000;

/** What a channel needs to know of the connection it lives on. */
export interface ChannelHome {
  /** The connection in use; undefined while it is down or being set up. */
  readonly model: ChannelModel | undefined;
  readonly queuePrefix: string;
}

/**
 * A channel with a purpose, such as one consumer, that comes back: it is opened on every connection, and once more a
 * second after it was closed alone (the broker closes a channel for an error or an overdue acknowledgement).
 */
export abstract class ReopeningChannel<C extends Channel = Channel> {
  /** Undefined while it cannot be used. */
  protected channel: C | undefined;
  private reopenTimer: NodeJS.Timeout | undefined;
  private retired = false;

  constructor(
    protected readonly home: ChannelHome,
    protected readonly log: Logger,
  ) {}

  protected abstract open(model: ChannelModel): Promise<C>;

  /** Called as soon as `channel` is set, before anything else can use it. */
  protected abstract setUp(channel: C): Promise<void>;

  /** Opens the channel on `model`. Rejects when it is lost meanwhile; it is then opened again by itself or with the next connection. */
  async attach(model: ChannelModel): Promise<void> {
    const channel = await this.open(model);
    if (this.retired) return channel.close();
    channel.on('error', (error) => this.log.warn(`a channel was closed by the broker: ${messageOf(error)}`));
    // First in line: amqplib's own listener fails what is unconfirmed, and that must see the channel as gone.
    channel.prependOnceListener('close', () => this.detach(channel, model));
    this.channel = channel;
    await this.setUp(channel);
  }

  /** Closes the channel for good. */
  async retire(): Promise<void> {
    this.retired = true;
    clearTimeout(this.reopenTimer);
    await this.channel?.close().catch(() => undefined); // closed already
  }

  private detach(channel: C, model: ChannelModel): void {
    if (this.channel === channel) this.channel = undefined;
    if (this.retired) return;
    clearTimeout(this.reopenTimer);
    this.reopenTimer = setTimeout(() => {
      if (this.retired || this.home.model !== model || this.channel) return;
      this.attach(model).catch((error: unknown) => {
        this.log.warn(`a channel could not be opened again: ${messageOf(error)}`);
      });
    }, REOPEN_DELAY_MS).unref();
  }
}
