import { graphql, type GraphQLSchema } from 'graphql';
import { pino } from 'pino';
import { Role } from '../../src/domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { InputError } from '../../src/errors.js';
import type { LiveFeed } from '../../src/graphql/live-feed.js';
import { createLoaders } from '../../src/graphql/loaders.js';
import { buildGraphqlSchema } from '../../src/graphql/schema.js';
import type { RequestContext } from '../../src/graphql/context.js';
import type { Broker } from '../../src/messaging/broker.js';
import { createServices, type Services } from '../../src/services/index.js';
import { createTestDatabase, type TestDatabase } from './database.js';

export interface TestApi extends TestDatabase {
  readonly schema: GraphQLSchema;
  readonly services: Services;
  /** Runs an operation as a client of the organization does; throws when it has errors. */
  run<T = Record<string, never>>(
    source: string,
    variables?: Record<string, unknown>,
    organizationId?: string,
  ): Promise<T>;
  /** The error that an operation ends with. */
  failure(
    source: string,
    variables?: Record<string, unknown>,
  ): Promise<{ code: string; field?: string; message: string }>;
}

/** Schema and services over a database of their own, without the HTTP server. Subscriptions have a live feed: not here. */
export async function createTestApi(broker: Broker, credentialsPublicKey?: string): Promise<TestApi> {
  const test = await createTestDatabase();
  const schema = await buildGraphqlSchema();
  const services = createServices({
    database: test.database,
    broker,
    credentialsPublicKey,
    log: pino({ level: 'silent' }),
  });
  const execute = (source: string, variableValues = {}, organizationId = DEFAULT_ORGANIZATION_ID) => {
    const loaders = createLoaders(services, organizationId);
    const contextValue: RequestContext = { organizationId, role: Role.ADMIN, services, loaders, live: {} as LiveFeed };
    return graphql({ schema, source, variableValues, contextValue });
  };
  return {
    ...test,
    schema,
    services,
    run: async <T>(source: string, variables?: Record<string, unknown>, organizationId?: string) => {
      const { data, errors } = await execute(source, variables, organizationId);
      if (errors) throw errors[0]!;
      return data as T;
    },
    failure: async (source, variables) => {
      const { errors } = await execute(source, variables);
      const cause = errors?.[0]?.originalError;
      if (!(cause instanceof InputError)) throw new Error('expected an InputError', { cause: errors?.[0] });
      return { code: cause.code, field: cause.field, message: cause.message };
    },
  };
}
