import { startIngester } from '../../workers/ingester.js';
import { startPoller } from '../../workers/poller.js';
import { watchBroker, watchDatabase } from '../resources.js';
import { startScheduler } from '../../workers/scheduler.js';
import type { Config } from '../config.js';
import { describeUrl, openDatabase } from '../db/database.js';
import { migrate } from '../db/migrate.js';
import { DEFAULT_ORGANIZATION_ID } from '../domain/organization.js';
import type { Worker, WorkerContext } from '../lifecycle.js';
import { connectBroker } from '../messaging/connect-broker.js';
import { startServer } from '../server.js';
import { endAllLeases } from '../services/leases.js';
import { adminTokenFile, keepAdminToken } from './admin-token.js';
import { startDemo } from './demo.js';
import { keepKeys } from './keys.js';
import { startEmbeddedPostgres } from './postgres.js';
import { renewSeals } from './renew-seals.js';

/**
 * `amr up`: everything in one process, on the same code as the separate workers. What is not configured is embedded: a
 * PostgreSQL in the data folder, an in-process broker, a key pair, and a simulated fleet.
 */
export const up: Worker = async (context) => {
  const { log, onStop } = context;
  const keys = await keepKeys(context.config);
  const databaseUrl = context.config.databaseUrl ?? (await embeddedDatabase(context));
  const config: Config = {
    ...context.config,
    databaseUrl,
    credentialsPublicKey: keys.publicKey,
    credentialsPrivateKey: keys.privateKey,
  };
  const whole = { ...context, config };

  const applied = await migrate(databaseUrl);
  if (applied.length > 0) log.info({ applied }, 'database migrated');
  const broker = await connectBroker(config, log);
  onStop(() => broker.close());
  const database = await openDatabase(databaseUrl, 'up', log);
  onStop(() => database.close());
  watchBroker(whole, broker);
  watchDatabase(whole, database);

  // Their messages died with the process before this one: waiting for their leases would only hold up the meters.
  if (config.amqpUrl === 'memory:') await endAllLeases(database.pool);

  await renewSeals(database.pool, keys, log);

  // Stopped in the opposite order: what feeds a part ends before the part.
  const resources = { broker, database };
  await startIngester(whole, resources);
  await startScheduler(whole, resources);
  await startPoller(whole, broker, { queues: ['amr.scheduled', 'amr.on_demand'], sessions: config.maxSessions });
  const { api, services } = await startServer(whole, resources);
  if (config.demo) {
    const demo = await startDemo({
      database,
      publicKey: keys.publicKey,
      invoke: (invocation) => services.invocation.invokeTask(DEFAULT_ORGANIZATION_ID, invocation),
      log,
    });
    onStop(() => demo.stop());
  }
  // After the server, so that what is printed works at once.
  const token = config.auth === 'off' ? undefined : await keepAdminToken(config.dataDir, database, services.apiTokens);
  const parts = [
    api.url,
    `GraphiQL ${api.url}/graphiql${token?.isNew ? `#token=${token.secret}` : ''}`,
    ...(token ? [tokenHint(token.isNew, adminTokenFile(config.dataDir))] : []),
    `database ${context.config.databaseUrl ? describeUrl(databaseUrl) : `embedded in ${config.dataDir}`}`,
    `broker ${broker.description}`,
    config.demo ? 'demo fleet of 20 simulated gas meters' : 'no demo (AMR_DEMO=off)',
  ];
  return parts.join('\n  ');
};

function tokenHint(isNew: boolean, file: string): string {
  const kept = `token ${isNew ? 'shown this once' : 'as before'}, commands here find it in ${file}`;
  return `${kept}; another: amr token create --name NAME --role admin`;
}

async function embeddedDatabase({ config, log, onStop, fail }: WorkerContext): Promise<string> {
  const postgres = await startEmbeddedPostgres(config.dataDir, { log, onUnexpectedEnd: fail });
  onStop(() => postgres.stop());
  return postgres.url;
}
