import { loadConfig, type Config } from '../config.js';
import { ReadingOrigin } from '../domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../domain/organization.js';
import { createClient, GraphqlRequestError, type GraphqlClient } from '../graphql/client.js';
import { ConnectionLostError } from '../graphql/client-subscription.js';
import {
  CreateMeterDeviceDocument,
  MeterDevicesDocument,
  SubmitReadingsDocument,
} from '../graphql/generated/graphql.js';
import type { Destination } from '../import/delivery.js';
import { PublishError } from '../messaging/broker.js';
import { connectBroker } from '../messaging/connect-broker.js';
import { ReadingPublisher } from '../services/reading-publisher.js';
import { createLogger } from '../telemetry.js';

const MESSAGES_IN_FLIGHT = 32;
/** Each waits until its readings are stored where the broker is in the process of the API. */
const REQUESTS_IN_FLIGHT = 8;

export interface DestinationOptions {
  env: NodeJS.ProcessEnv;
  url: string;
  token: string | undefined;
  /** Meters that are not registered are, in this time zone. */
  createMeters: { timeZone: string } | undefined;
  /** Told once of each meter that is not registered, where that is known. */
  onUnknownMeter: (meter: string) => void;
}

/** RabbitMQ where AMQP_URL is set, else the API. Throws `StartupError` when RabbitMQ does not answer. */
export async function openDestination(options: DestinationOptions): Promise<Destination> {
  const config = loadConfig(options.env);
  const client = createClient({ url: options.url, token: options.token });
  const meters = new MeterRegistry(client, options);
  return config.amqpUrl === 'memory:' ? new ApiDestination(client, options.url, meters) : rabbitMq(config, meters);
}

async function rabbitMq(config: Config, meters: MeterRegistry): Promise<Destination> {
  const log = createLogger({ ...config, logLevel: 'warn' }, 'import');
  const broker = await connectBroker(config, log);
  const publisher = new ReadingPublisher(broker, log);
  return {
    description: broker.description,
    maxInFlight: MESSAGES_IN_FLIGHT,
    // A meter is looked up at the API only to create it: publishers need no API.
    meet: (meter) => meters.create(meter),
    send: ({ meter, collectedAt, readings }) =>
      publisher.publish({
        version: 1,
        organization: DEFAULT_ORGANIZATION_ID,
        meter_device: meter,
        origin: ReadingOrigin.IMPORT,
        collected_at: collectedAt,
        readings,
      }),
    isPassing: (error) => error instanceof PublishError,
    close: async () => {
      await publisher.stop();
      await broker.close();
    },
  };
}

class ApiDestination implements Destination {
  readonly description: string;
  readonly maxInFlight = REQUESTS_IN_FLIGHT;

  constructor(
    private readonly client: GraphqlClient,
    url: string,
    private readonly meters: MeterRegistry,
  ) {
    this.description = `the API at ${url}`;
  }

  async meet(meter: string): Promise<void> {
    await this.meters.create(meter);
    await this.meters.look(meter);
  }

  async send({ meter, collectedAt, readings }: Parameters<Destination['send']>[0]): Promise<void> {
    await this.client.request(SubmitReadingsDocument, {
      input: {
        origin: 'IMPORT',
        collectedAt,
        readings: readings.map((reading) => ({ meter, ...reading })),
      },
    });
  }

  isPassing(error: unknown): boolean {
    // A server that is up while its broker is not answers so.
    return (
      error instanceof ConnectionLostError ||
      (error instanceof GraphqlRequestError && error.code === 'INTERNAL_SERVER_ERROR')
    );
  }

  async close(): Promise<void> {}
}

/** The meters of the API, by name. */
class MeterRegistry {
  constructor(
    private readonly client: GraphqlClient,
    private readonly options: Pick<DestinationOptions, 'createMeters' | 'onUnknownMeter'>,
  ) {}

  /** Does nothing unless meters are to be created, or when there is one of this name. */
  async create(name: string): Promise<void> {
    const { createMeters } = this.options;
    if (!createMeters) return;
    try {
      await this.client.request(CreateMeterDeviceDocument, { input: { name, timeZone: createMeters.timeZone } });
    } catch (error) {
      if (!(error instanceof GraphqlRequestError && error.code === 'CONFLICT')) throw error;
    }
  }

  async look(name: string): Promise<void> {
    if (this.options.createMeters) return;
    const { meterDevices } = await this.client.request(MeterDevicesDocument, { filter: { name }, first: 1 });
    if (meterDevices.nodes.length === 0) this.options.onUnknownMeter(name);
  }
}
