import type { Config } from '../config.js';
import type { Logger } from '../telemetry.js';
import type { Broker } from './broker.js';
import { MemoryBroker } from './memory-broker.js';
import { RabbitMqBroker } from './rabbitmq-broker.js';

/**
 * The broker that `amqpUrl` names. Each call with `memory:` makes another broker: whoever shall share one must be handed
 * it. Throws a `StartupError` when RabbitMQ does not answer within 10 s, refuses, or has our queues in another form.
 */
export async function connectBroker(config: Pick<Config, 'amqpUrl' | 'queuePrefix'>, log: Logger): Promise<Broker> {
  return config.amqpUrl.startsWith('memory:') ? new MemoryBroker(log) : RabbitMqBroker.connect(config, log);
}
