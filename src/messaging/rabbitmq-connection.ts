import { connect, type ChannelModel, type RecoveringChannelModel } from 'amqplib';
import type { Config } from '../config.js';
import { StartupError, messageOf } from '../errors.js';
import type { Logger } from '../telemetry.js';
import { brokerReconnects } from './messaging-metrics.js';
import type { ChannelHome, ReopeningChannel } from './rabbitmq-channel.js';
import { assertTopology } from './rabbitmq-topology.js';

const HEARTBEAT_SECONDS = 10;
const HANDSHAKE_TIMEOUT_MS = 5000;
const CLOSE_TIMEOUT_MS = 5000;
/** Delays between tries double from the first to the longest, spread by half of their length. */
const RECOVERY = { initialDelay: 200, maxDelay: 10_000, factor: 2, jitter: 0.5 };

/** Answers that another try cannot change: wrong user or password; no such virtual host. */
const REFUSED = /ACCESS[-_]REFUSED|NOT[-_]ALLOWED/;

/** One connection to RabbitMQ that is made again for ever, with the topology and every channel that was `keep`t. */
export class RabbitMqConnection implements ChannelHome {
  /** `host:port`, without credentials. */
  readonly address: string;
  readonly queuePrefix: string;
  private recovering: RecoveringChannelModel | undefined;
  private current: ChannelModel | undefined;
  private serverVersion = '';
  private readonly channels = new Set<ReopeningChannel>();

  private constructor(
    config: Pick<Config, 'amqpUrl' | 'queuePrefix'>,
    private readonly log: Logger,
  ) {
    const { protocol, hostname, port } = new URL(config.amqpUrl);
    this.address = `${hostname}:${port || (protocol === 'amqps:' ? 5671 : 5672)}`;
    this.queuePrefix = config.queuePrefix;
  }

  /**
   * Connects and declares the topology. Tries for `patienceMs`, as the broker may be starting too; then, and at once for
   * what another try cannot change, throws a `StartupError`.
   */
  static async open(
    config: Pick<Config, 'amqpUrl' | 'queuePrefix'>,
    log: Logger,
    patienceMs: number,
  ): Promise<RabbitMqConnection> {
    const connection = new RabbitMqConnection(config, log);
    await connection.start(config.amqpUrl, patienceMs);
    return connection;
  }

  get model(): ChannelModel | undefined {
    return this.current;
  }

  get version(): string {
    return this.serverVersion;
  }

  /** Opens `channel` now, or as soon as there is a connection, and again on every later one. */
  async keep(channel: ReopeningChannel): Promise<void> {
    this.channels.add(channel);
    if (!this.current) return;
    await channel.attach(this.current).catch((error: unknown) => {
      this.log.warn(`a channel was lost while it was opened, it will be tried again: ${messageOf(error)}`);
    });
  }

  release(channel: ReopeningChannel): void {
    this.channels.delete(channel);
  }

  /** Closes the connection; what is unacknowledged will be delivered again. */
  async close(): Promise<void> {
    const recovering = this.recovering;
    if (!recovering) return;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
    });
    await Promise.race([recovering.close(), timeout]);
    clearTimeout(timer);
  }

  private async start(url: string, patienceMs: number): Promise<void> {
    const recovering = await connect(withHeartbeat(url), {
      timeout: HANDSHAKE_TIMEOUT_MS,
      noDelay: true,
      keepAlive: true,
      clientProperties: { connection_name: 'amr-head-end' },
      recovery: { ...RECOVERY, waitForConnect: false, setup: (model: ChannelModel) => this.setUp(model) },
    });
    this.recovering = recovering;
    recovering.on('error', (error) => this.log.warn(`RabbitMQ connection: ${messageOf(error)}`));
    recovering.on('blocked', (reason) => this.log.warn({ reason }, 'RabbitMQ takes no messages for lack of resources'));
    recovering.on('unblocked', () => this.log.info('RabbitMQ takes messages again'));
    try {
      await firstConnection(recovering, patienceMs);
    } catch (error) {
      await recovering.close();
      throw this.startupError(error);
    }
    recovering.on('disconnect', (error) => this.log.warn(`the connection to RabbitMQ was lost: ${messageOf(error)}`));
    recovering.on('connect-failed', (error) => this.log.warn(`no connection to RabbitMQ yet: ${messageOf(error)}`));
    recovering.on('connect', () => {
      brokerReconnects.inc();
      this.log.info('connected to RabbitMQ again');
    });
  }

  /** Runs on every connection before it is used. */
  private async setUp(model: ChannelModel): Promise<void> {
    let closed = false;
    model.on('error', () => undefined); // 'close' follows
    model.once('close', () => {
      closed = true;
      if (this.current === model) this.current = undefined;
    });
    await assertTopology(model, this.queuePrefix);
    for (const channel of this.channels) await channel.attach(model);
    // amqplib watches the connection from here on only; without this a loss until now would go unnoticed.
    if (closed) throw new Error('the connection was lost while it was set up');
    this.serverVersion = model.connection.serverProperties.version;
    this.current = model;
  }

  private startupError(error: unknown): StartupError {
    if (error instanceof StartupError) return error;
    const cause = messageOf(error);
    return new StartupError(
      REFUSED.test(cause)
        ? `RabbitMQ at ${this.address} refuses the connection: ${cause}. Check user, password and virtual host in AMQP_URL.`
        : `RabbitMQ at ${this.address} cannot be used: ${cause}. Start it, or point AMQP_URL at one that runs ` +
            '(`amr up` also runs without it: AMQP_URL=memory:).',
      { cause: error },
    );
  }
}

/** Settles with the first connection, or rejects with the last failure when patience ends. */
async function firstConnection(recovering: RecoveringChannelModel, patienceMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let onFailure: ((error: Error) => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      let last = new Error(`no answer within ${patienceMs} ms`);
      onFailure = (error) => {
        last = error;
        if (error instanceof StartupError || REFUSED.test(error.message)) reject(error);
      };
      recovering.on('connect-failed', onFailure);
      timer = setTimeout(() => reject(last), patienceMs);
      recovering.waitForConnect().then(() => resolve(), reject);
    });
  } finally {
    clearTimeout(timer);
    if (onFailure) recovering.off('connect-failed', onFailure);
  }
}

/** A dead peer is noticed after two silent heartbeats. */
function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS));
  return parsed.href;
}
