import type { FastifyInstance } from 'fastify';
import type { Database } from '../db/database.js';
import type { Broker } from '../messaging/broker.js';
import { metrics } from '../telemetry.js';

/** How long the database may take to answer before the process counts as not ready. */
const DATABASE_TIMEOUT_MS = 1_000;

/** `/health/live`: the process answers. `/health/ready`: what it needs answers too; if not, 503 and which does not. */
export function addHealthRoutes(app: FastifyInstance, database: Pick<Database, 'pool'>, broker: Broker): void {
  app.get('/health/live', () => ({ status: 'ok' }));
  app.get('/health/ready', async (_request, reply) => {
    const checks = { database: await answers(database.pool), broker: broker.connected };
    const ready = Object.values(checks).every(Boolean);
    return reply.code(ready ? 200 : 503).send({
      status: ready ? 'ok' : 'unavailable',
      ...Object.fromEntries(Object.entries(checks).map(([name, ok]) => [name, ok ? 'ok' : 'unavailable'])),
    });
  });
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));
}

async function answers(pool: Database['pool']): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), DATABASE_TIMEOUT_MS);
  });
  const answer = pool.query('select 1').then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([answer, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
