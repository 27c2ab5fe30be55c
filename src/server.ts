import { useBroker, useDatabase, type Resources } from './resources.js';
import { parsePublicKey } from './credentials.js';
import { StartupError } from './errors.js';
import { startGraphqlServer, type GraphqlServer } from './graphql/server.js';
import type { Worker, WorkerContext } from './lifecycle.js';
import { isLoopback } from './loopback.js';
import { createServices, type Services } from './services/index.js';

/** `amr server`: the GraphQL API. Any number may run behind a balancer. */
export const server: Worker = async (context) => {
  if (context.config.credentialsPublicKey === undefined) {
    throw new StartupError(
      'AMR_CREDENTIALS_PUBLIC_KEY is not set. The API seals meter credentials with it: run `amr keys create` once and set the public key here, the private key at the pollers.',
    );
  }
  const broker = await useBroker(context);
  const { api } = await startServer(context, { broker, database: await useDatabase(context, 'server') });
  return api.url;
};

/** The API on the given database and broker. */
export async function startServer(
  { config, log, onStop, readiness }: WorkerContext,
  { broker, database }: Resources,
): Promise<{ api: GraphqlServer; services: Services }> {
  if (config.credentialsPublicKey !== undefined) parsePublicKey(config.credentialsPublicKey);
  if (!isLoopback(config.httpHost)) {
    log.warn(
      { host: config.httpHost },
      'the API listens beyond this machine without TLS: put a proxy that ends TLS before it, or tokens can be read on the way',
    );
  }
  const services = createServices({ database, broker, credentialsPublicKey: config.credentialsPublicKey, log });
  onStop(() => services.readingPublisher.stop());
  const api = await startGraphqlServer({ config, database, broker, log, services, readiness });
  onStop(() => api.close());
  return { api, services };
}
