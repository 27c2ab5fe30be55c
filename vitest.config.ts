import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Without the alias vitest loads `graphql` twice (ESM and CommonJS), and the two disagree about what a schema is.
  resolve: { alias: { graphql: fileURLToPath(new URL('node_modules/graphql/index.js', import.meta.url)) } },
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: false } },
  test: {
    include: ['test/{unit,integration,system,regressions}/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // The suites wait for processes and services far more than they reckon.
    maxWorkers: 3,
    reporters: ['default', ['json', { outputFile: 'test-results.json' }]],
    server: { deps: { inline: ['type-graphql'] } },
  },
});
