import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** GraphiQL runs only what this server sends, and talks only to it. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** GraphiQL at /graphiql, from the files that `npm run build` made. */
export async function addConsole(app: FastifyInstance): Promise<void> {
  app.get('/', (_request, reply) => reply.redirect('/graphiql'));
  const root = join(packageRoot(), 'dist', 'console');
  if (!existsSync(join(root, 'index.html'))) {
    app.get('/graphiql', (_request, reply) =>
      reply.code(503).send('GraphiQL is not built: run `npm run build`, then start again.\n'),
    );
    return;
  }
  await app.register(fastifyStatic, { root, prefix: '/graphiql/', index: false });
  app.get('/graphiql', (_request, reply) =>
    reply.header('content-security-policy', CONTENT_SECURITY_POLICY).sendFile('index.html'),
  );
}

/** The folder of package.json, from the sources as from the build. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}
