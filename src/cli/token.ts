import { hostname } from 'node:os';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { loadConfig, type Config } from '../config.js';
import { Role } from '../domain/enums.js';
import { parseInstant } from '../domain/instant.js';
import { DEFAULT_ORGANIZATION_ID } from '../domain/organization.js';
import type { GraphqlClient } from '../graphql/client.js';
import { ApiTokensDocument, CreateApiTokenDocument, RevokeApiTokenDocument } from '../graphql/generated/graphql.js';
import type { ApiTokenService } from '../services/api-tokens.js';
import { withClient } from './client.js';
import { CommandError, EXIT, type CliIo } from './io.js';
import { apiUrl, collected, DEFAULT_URL, TOKEN_HELP } from './options.js';
import { tableLines } from './table.js';

const PAGE = 500;
const HOUR_MS = 3_600_000;

interface TokenOptions {
  url: string;
  token?: string;
  organization?: string;
}

interface CreateOptions extends TokenOptions {
  name: string;
  role: Role;
  scope?: string[];
  expires?: Date;
}

/** A token as a list shows it. */
interface ListedToken {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly scopes?: readonly string[] | null;
  readonly expiresAt?: Date | string | null;
  readonly lastUsedAt?: Date | string | null;
  readonly revokedAt?: Date | string | null;
}

/** Tokens in the database of DATABASE_URL, or those that the API at hand has. */
interface TokenStore {
  create(options: CreateOptions): Promise<{ id: string; secret: string }>;
  list(): Promise<ListedToken[]>;
  revoke(id: string): Promise<string>;
}

export function addToken(program: Command, io: CliIo): void {
  const token = program
    .command('token')
    .description('Tokens of the API, in the database of DATABASE_URL; where that is not set, at the API')
    .addHelpText(
      'after',
      `
Examples:
  $ DATABASE_URL=… amr token create --name first-admin --role admin
  $ amr token create --name billing --role viewer --scope readings --scope meterReadingAdded --expires 90d
  $ amr token revoke 0199c7b4-…`,
    );
  const command = (name: string, description: string) =>
    token
      .command(name)
      .description(description)
      .option('--organization <id>', 'id or name, in the database (default: the first organization)')
      .option('--url <url>', "the API's address, where DATABASE_URL is not set", apiUrl, DEFAULT_URL)
      .option('--token <token>', TOKEN_HELP);

  command('create', 'Make a token; it is printed to stdout, this once')
    .requiredOption('--name <name>', 'what it is for; audits name it')
    .addOption(new Option('--role <role>', 'what it may do').choices(Object.values(Role)).makeOptionMandatory())
    .option('--scope <field>', 'only this query, mutation or subscription; may be repeated', collected)
    .option('--expires <time>', 'when it ends: 90d, 12h, or a time with an offset (default: never)', expiry)
    .action((options: CreateOptions) =>
      withStore(options, io, async (store) => {
        const { id, secret } = await store.create(options);
        io.out(secret);
        io.note(`Token ${JSON.stringify(options.name)}, role ${options.role}, id ${id}. It is not shown again.`);
      }),
    );
  command('list', 'List tokens, oldest first').action((options: TokenOptions) =>
    withStore(options, io, async (store) => {
      const rows = (await store.list()).map((listed) => [
        ...[listed.id, listed.name, listed.role.toLowerCase(), listed.scopes?.join(',') ?? 'all'],
        ...[stateOf(listed), shown(listed.lastUsedAt, 'not yet')],
      ]);
      for (const line of tableLines(['ID', 'NAME', 'ROLE', 'SCOPES', 'STATE', 'LAST USED'], rows)) io.out(line);
    }),
  );
  command('revoke', 'End a token, and the subscriptions that run with it')
    .argument('<id>', 'id of the token')
    .action((id: string, options: TokenOptions) =>
      withStore(options, io, async (store) => io.out(`revoked ${JSON.stringify(await store.revoke(id))}`)),
    );
}

async function withStore(options: TokenOptions, io: CliIo, work: (store: TokenStore) => Promise<void>): Promise<void> {
  const config = loadConfig(io.env);
  if (config.databaseUrl !== undefined) return withDatabase(config, config.databaseUrl, options, work);
  if (options.organization !== undefined) {
    throw new CommandError(
      EXIT.usage,
      'At the API the organization is that of your own token. Leave --organization out, or set DATABASE_URL.',
    );
  }
  await withClient(options, io, (client) => work(storeAtApi(client)));
}

/** Loads what it needs when it is called: other commands start at once. */
async function withDatabase(
  config: Config,
  url: string,
  { organization }: TokenOptions,
  work: (store: TokenStore) => Promise<void>,
): Promise<void> {
  const [{ openDatabase }, { requireCurrentSchema }, { createLogger }, tokens, { createOrganizationLookup }] =
    await Promise.all([
      import('../db/database.js'),
      import('../db/migrate.js'),
      import('../telemetry.js'),
      import('../services/api-tokens.js'),
      import('../services/organization-lookup.js'),
    ]);
  const log = createLogger({ ...config, logLevel: 'warn' }, 'token');
  const database = await openDatabase(url, 'token', log);
  try {
    await requireCurrentSchema(url);
    const organizationId = await createOrganizationLookup(database)(organization ?? DEFAULT_ORGANIZATION_ID);
    if (organizationId === undefined)
      throw new CommandError(EXIT.usage, `There is no active organization ${JSON.stringify(organization)}.`);
    const broker = config.amqpUrl === 'memory:' ? undefined : { broadcast: broadcastOnce };
    await work(storeInDatabase(new tokens.ApiTokenService(database, broker, log), organizationId));
  } finally {
    await database.close();
  }

  async function broadcastOnce(exchange: 'amr.control', body: Buffer): Promise<void> {
    const { connectBroker } = await import('../messaging/connect-broker.js');
    const broker = await connectBroker(config, log);
    await broker.broadcast(exchange, body).finally(() => broker.close());
  }
}

function storeInDatabase(tokens: ApiTokenService, organizationId: string): TokenStore {
  const caller = { actor: 'amr token', source: hostname() };
  return {
    create: async ({ name, role, scope, expires }) => {
      if (scope) {
        const { buildGraphqlSchema } = await import('../graphql/schema.js');
        const { requireRootFields } = await import('../graphql/access.js');
        requireRootFields(await buildGraphqlSchema(), scope, '--scope');
      }
      const input = { name, role, scopes: scope, expiresAt: expires };
      const { apiToken, secret } = await tokens.create(organizationId, input, caller);
      return { id: apiToken.id, secret };
    },
    list: () => allPages(async (after) => tokens.page(organizationId, { first: PAGE, after })),
    revoke: async (id) => (await tokens.revoke(organizationId, id, caller)).name,
  };
}

function storeAtApi(client: GraphqlClient): TokenStore {
  return {
    create: async ({ name, role, scope, expires }) => {
      const input = {
        name,
        role: role.toUpperCase() as Uppercase<Role>,
        scopes: scope,
        expiresAt: expires?.toISOString(),
      };
      const { createApiToken } = await client.request(CreateApiTokenDocument, { input });
      return { id: createApiToken.apiToken.id, secret: createApiToken.secret };
    },
    list: () => allPages(async (after) => (await client.request(ApiTokensDocument, { first: PAGE, after })).apiTokens),
    revoke: async (id) =>
      (await client.request(RevokeApiTokenDocument, { input: { id } })).revokeApiToken.apiToken.name,
  };
}

interface TokenPage {
  readonly nodes: readonly ListedToken[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor?: string | null };
}

async function allPages(page: (after: string | undefined) => Promise<TokenPage>): Promise<ListedToken[]> {
  const all: ListedToken[] = [];
  for (let after: string | undefined; ;) {
    const { nodes, pageInfo } = await page(after);
    all.push(...nodes);
    if (!pageInfo.hasNextPage) return all;
    after = pageInfo.endCursor ?? undefined;
  }
}

function stateOf({ revokedAt, expiresAt }: ListedToken): string {
  if (revokedAt != null) return `revoked ${shown(revokedAt, '')}`;
  if (expiresAt == null) return 'good';
  return new Date(expiresAt).getTime() <= Date.now()
    ? `expired ${shown(expiresAt, '')}`
    : `good until ${shown(expiresAt, '')}`;
}

const shown = (at: Date | string | null | undefined, never: string): string =>
  at == null ? never : new Date(at).toISOString().slice(0, 19) + 'Z';

/** A span from now, or an instant. */
export function expiry(text: string): Date {
  const [, count, unit] = /^(\d{1,6})([dh])$/.exec(text) ?? [];
  const ms = count === undefined ? parseInstant(text) : Date.now() + Number(count) * (unit === 'd' ? 24 : 1) * HOUR_MS;
  if (ms === undefined)
    throw new InvalidArgumentError('It must be a span such as 90d or 12h, or a time such as 2027-01-31T00:00:00Z.');
  return new Date(ms);
}
