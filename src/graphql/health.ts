import type { FastifyInstance } from 'fastify';
import type { ReadinessReport } from '../lifecycle.js';
import { metrics } from '../telemetry.js';

/** `/health/live`: the process answers. `/health/ready`: what it needs answers too; if not, 503 and which does not. */
export function addHealthRoutes(app: FastifyInstance, readiness: () => Promise<ReadinessReport>): void {
  app.get('/health/live', () => ({ ok: true }));
  app.get('/health/ready', async (_request, reply) => {
    const report = await readiness();
    return reply.code(report.ok ? 200 : 503).send(report);
  });
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));
}
