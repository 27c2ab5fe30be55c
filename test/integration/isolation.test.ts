import { execute, isInterfaceType, parse, validate, type DocumentNode, type GraphQLSchema } from 'graphql';
import { createClient, type Client } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { createKeyPair } from '../../src/credentials.js';
import { Role } from '../../src/domain/enums.js';
import type { RequestContext } from '../../src/graphql/context.js';
import type { LiveFeed } from '../../src/graphql/live-feed.js';
import { createLoaders } from '../../src/graphql/loaders.js';
import { startGraphqlServer, type GraphqlServer } from '../../src/graphql/server.js';
import { ACK, type Broker } from '../../src/messaging/broker.js';
import { announceRuns } from '../../src/services/run-events.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { silentLog, testBrokers, type TestBrokers } from '../support/broker.js';
import { batchOf, commitBatches } from '../support/committed-readings.js';
import {
  FROM,
  missingArguments,
  operationOn,
  slotsOf,
  TO,
  withValue,
  type RootField,
  type Slot,
} from '../support/generated-operations.js';
import { HOUR, insertTenant, planTenant, rowsOfTenant, type Tenant, type TenantKind } from '../support/tenant.js';

type Values = Readonly<Record<string, unknown>>;

/** How an answer begins that has errors. */
const ERRORS = /^{"errors"/;

/** What every tenant sees: the installation itself. A field is named here only when nothing in it is of a tenant. */
const SHARED: ReadonlySet<string> = new Set(['meterExecutionTypes', 'workers', 'ingestion']);

/** Arguments with which a query finds what the tenant has. */
function argumentsOf(field: string, { ids, texts }: Tenant): Values {
  const span = { from: FROM, to: TO };
  const plan = { amrTask: ids.amrTask, amrTaskGroups: [ids.amrTaskGroup] };
  const known: Record<string, Values> = {
    lossAccount: span,
    lossAccountByMinute: span,
    meterReading: { meterDevice: ids.meterDevice, series: texts.series, timestamp: HOUR.toISOString() },
    node: { id: ids.meterDevice },
    planAmrTask: { input: plan },
    readingRevisions: { meterDevice: ids.meterDevice, series: texts.series, ...span },
    readings: { meterDevice: ids.meterDevice, ...span },
    readingAggregates: { meterDevice: ids.meterDevice, ...span, bucket: 'HOUR' },
    taskRunSummary: { filter: { ...span, amrTask: ids.amrTask } },
  };
  return known[field] ?? (Object.hasOwn(ids, field) ? { id: ids[field as TenantKind] } : {});
}

/** A mutation that succeeds: with another tenant's id in it, that id is all that is wrong. */
const INPUTS: Record<string, (tenant: Tenant) => Values> = {
  cancelTaskRun: ({ ids }) => ({ id: ids.taskRun }),
  clearCredentialsRejection: ({ ids }) => ({ id: ids.meterDevice }),
  createAmrTask: ({ mark }) => ({ name: fresh(mark), schedule: 'YEARLY', ...CALL }),
  createAmrTaskGroup: ({ mark, ids }) => ({ name: fresh(mark), tasks: [ids.amrTask] }),
  createApiToken: ({ mark }) => ({ name: fresh(mark), role: 'VIEWER' }),
  createMeterDevice: ({ mark, ids }) => ({
    name: fresh(mark),
    networkInterface: ids.networkInterface,
    taskGroups: [ids.amrTaskGroup],
    meterTasks: [ids.amrTask],
  }),
  createMeteringPoint: ({ mark }) => ({ name: fresh(mark) }),
  createNetworkInterface: ({ mark, ids }) => ({
    ...{ name: fresh(mark), kind: 'TCP', host: '127.0.0.1', port: 1 },
    segment: ids.segment,
  }),
  createSegment: ({ mark }) => ({ name: fresh(mark) }),
  deleteAmrTask: ({ ids }) => ({ id: ids.spareTask }),
  deleteAmrTaskGroup: ({ ids }) => ({ id: ids.spareGroup }),
  deleteInstallation: ({ ids }) => ({ id: ids.installation }),
  deleteMeterDevice: ({ ids }) => ({ id: ids.spareMeter }),
  deleteMeteringPoint: ({ ids }) => ({ id: ids.sparePoint }),
  deleteNetworkInterface: ({ ids }) => ({ id: ids.spareInterface }),
  deleteSegment: ({ ids }) => ({ id: ids.spareSegment }),
  deleteSeries: ({ ids }) => ({ id: ids.spareSeries }),
  discardDeadLetters: ({ ids }) => ({ ids: [ids.deadLetter], reason: 'a test' }),
  importMeterDevices: ({ mark, ids }) => ({
    items: [{ name: fresh(mark), networkInterface: ids.networkInterface, taskGroups: [ids.amrTaskGroup] }],
  }),
  installMeter: ({ ids }) => ({
    ...{ meterDevice: ids.spareMeter, meteringPoint: ids.sparePoint },
    installedAt: '2026-02-01T00:00:00Z',
  }),
  invokeAmrTask: ({ ids }) => ({ amrTask: ids.amrTask, meterDevice: ids.spareMeter }),
  invokeAmrTaskGroup: ({ ids }) => ({ amrTaskGroup: ids.amrTaskGroup }),
  invokeTask: ({ ids }) => ({ meterDevice: ids.spareMeter, ...CALL }),
  redriveDeadLetters: ({ ids }) => ({ ids: [ids.deadLetter] }),
  removeMeter: ({ ids }) => ({ installation: ids.installation, removedAt: '2026-02-01T00:00:00Z' }),
  revokeApiToken: ({ ids }) => ({ id: ids.apiToken }),
  setServiceObjective: () => ({ kind: 'COMPLETENESS', target: '0.5' }),
  submitReadings: ({ texts }) => ({
    readings: [{ meter: texts.meter, series: texts.series, timestamp: HOUR.toISOString(), value: '1' }],
  }),
  updateAmrTask: ({ ids }) => ({ id: ids.amrTask, priority: 3 }),
  updateAmrTaskGroup: ({ ids }) => ({ id: ids.amrTaskGroup, tasks: [ids.amrTask] }),
  updateInstallation: ({ ids }) => ({ id: ids.installation, startIndex: '5' }),
  updateMeterDevice: ({ ids }) => ({ id: ids.meterDevice, taskGroups: [ids.amrTaskGroup] }),
  updateMeteringPoint: ({ ids }) => ({ id: ids.meteringPoint, description: 'changed' }),
  updateNetworkInterface: ({ ids }) => ({ id: ids.networkInterface, port: 2 }),
  updateOrganization: () => ({ revisionPolicy: 'TAKE_LATEST' }),
  updateSegment: ({ ids }) => ({ id: ids.segment, maxOpenSessions: 9 }),
  upsertSeries: ({ mark }) => ({ name: fresh(mark), unit: 'kWh' }),
};
let made = 0;
/** Names are unique, and some attempts succeed. */
const fresh = (mark: string) => `${mark}-new-${++made}`;
const CALL = { meterExecutionType: 'generic_lis200', taskCall: 'set_time', taskKwargs: {} };

/** Makes something of the tenant happen that its subscribers are told of. */
const EVENTS: Record<string, (tenant: Tenant) => Promise<void>> = {
  meterReadingAdded: ({ ids, texts }) =>
    commitBatches(api.database, broker, [batchOf({ meter: ids.meterDevice, count: 1, series: texts.series })], {
      organizationId: ids.organization,
    }),
  taskRunUpdated: async ({ ids }) => {
    await api.database.pool.query('update task_run set attempts = attempts + 1 where id = $1', [ids.taskRun]);
    await announceRuns(broker, [{ id: ids.taskRun, organization_id: ids.organization }]);
  },
};

let brokers: TestBrokers;
let broker: Broker;
let api: TestApi;
let schema: GraphQLSchema;
const submitted: string[] = [];

/** Asks; has what the other has. */
const own = planTenant('own');
/** Never to be seen. */
const other = planTenant('other-secret');
/** Has nothing. */
const empty = planTenant('empty');

beforeAll(async () => {
  brokers = testBrokers('memory:');
  broker = await brokers.open();
  await broker.consume(
    'readings.new',
    async ({ body }) => {
      submitted.push(body.toString());
      return ACK;
    },
    { prefetch: 10 },
  );
  api = await createTestApi(broker, createKeyPair().publicKey);
  ({ schema } = api);
  await insertTenant(api.database.pool, own);
  await api.database.pool.query("insert into organization (id, name) values ($1, 'empty')", [empty.ids.organization]);
}, 60_000);
afterAll(async () => {
  await api?.drop();
  await brokers?.dispose();
});

const fieldsOf = (kind: 'Query' | 'Mutation' | 'Subscription'): RootField[] =>
  Object.values(schema.getRootType(kind.toLowerCase() as never)!.getFields()) as RootField[];

async function answerTo(source: string, variableValues: Values, { ids, mark }: Tenant): Promise<string> {
  const { services } = api;
  const contextValue: RequestContext = {
    organizationId: ids.organization,
    role: Role.ADMIN,
    actor: mark,
    services,
    loaders: createLoaders(services, ids.organization),
    live: {} as LiveFeed,
  };
  return JSON.stringify(await execute({ schema, document: documentOf(source), variableValues, contextValue }));
}

const documents = new Map<string, DocumentNode>();
/** Checked once: most of the time would go into that otherwise. */
function documentOf(source: string): DocumentNode {
  let document = documents.get(source);
  if (document === undefined) {
    document = parse(source);
    expect(validate(schema, document), source).toEqual([]);
    documents.set(source, document);
  }
  return document;
}

/** What of the other tenant could be given at a place. */
function foreignValues({ path, type }: Slot): readonly string[] {
  const { ids, texts } = other;
  if (type === 'ID') return Object.entries(ids).flatMap(([kind, id]) => (kind.startsWith('spare') ? [] : [id]));
  if (type === 'Cursor') return ['1'];
  if (path.at(-1) === 'after') return [ids.meterDevice, ids.taskRun].map((id) => Buffer.from(id).toString('base64url'));
  return Object.values(texts);
}

/** Of the other tenant, in an answer, besides what was given. */
function foreignIn(answer: string, ...given: string[]): string[] {
  const rest = given.reduce((text, value) => text.replaceAll(value, ''), answer);
  return [other.mark, ...Object.values(other.ids)].filter((sign) => rest.includes(sign));
}

interface Question {
  readonly field: string;
  readonly source: string;
  readonly values: Values;
  readonly given: string;
}

function questionsOf(field: RootField): Question[] {
  const values = argumentsOf(field.name, own);
  expect(missingArguments(field, values), `arguments of ${field.name} without a rule`).toEqual([]);
  const ask = (changed: Values, depth: number, given: string): Question => ({
    field: field.name,
    source: operationOn(schema, 'query', field, changed, depth),
    values: changed,
    given,
  });
  const substituted = slotsOf(field).flatMap((slot) =>
    foreignValues(slot).map((value) => ask(withValue(values, slot, value), 2, value)),
  );
  return [ask(values, 4, '-'), ...substituted];
}

describe('queries', () => {
  it('answer the same, whatever another organization has, also when they are asked for it', async () => {
    const questions = fieldsOf('Query')
      .filter(({ name }) => !SHARED.has(name))
      .flatMap(questionsOf);
    expect(questions.length).toBeGreaterThan(300);
    const before: string[] = [];
    for (const { source, values } of questions) before.push(await answerTo(source, values, own));
    await insertTenant(api.database.pool, other);
    for (const [index, { field, source, values, given }] of questions.entries()) {
      const after = await answerTo(source, values, own);
      expect(after, `${field} ${JSON.stringify(values)}`).toBe(before[index]);
      expect(foreignIn(after, given), `${field} ${JSON.stringify(values)}`).toEqual([]);
    }
  }, 120_000);

  it('see what is there, so that the test above can fail, and show none of it to an organization without rows', async () => {
    for (const field of fieldsOf('Query').filter(({ name }) => !SHARED.has(name))) {
      const values = argumentsOf(field.name, other);
      const source = operationOn(schema, 'query', field, values, 4);
      const [seen, unseen] = [await answerTo(source, values, other), await answerTo(source, values, empty)];
      expect(seen, field.name).not.toMatch(ERRORS);
      expect(seen, field.name).not.toBe(unseen);
      expect(
        foreignIn(unseen, JSON.stringify(values)).filter((sign) => !JSON.stringify(values).includes(sign)),
      ).toEqual([]);
    }
  }, 60_000);

  it('of what all share show nothing of a tenant', async () => {
    for (const field of fieldsOf('Query').filter(({ name }) => SHARED.has(name)))
      expect(foreignIn(await answerTo(operationOn(schema, 'query', field, {}, 4), {}, own), '-'), field.name).toEqual(
        [],
      );
  });

  it('find every type of node by its id, within the organization only', async () => {
    const node = schema.getType('Node');
    if (!isInterfaceType(node)) throw new Error('Node is no interface any more');
    const source = 'query ($id: ID!) { node(id: $id) { __typename id } }';
    for (const { name } of schema.getPossibleTypes(node)) {
      const id = (other.ids as Record<string, string>)[name[0]!.toLowerCase() + name.slice(1)];
      expect(id, `a tenant's ${name}, in test/support/tenant.ts`).toBeDefined();
      expect(JSON.parse(await answerTo(source, { id }, other))).toEqual({ data: { node: { __typename: name, id } } });
      expect(JSON.parse(await answerTo(source, { id }, own))).toEqual({ data: { node: null } });
    }
  });
});

describe('mutations', () => {
  let untouched: string[];

  beforeAll(async () => {
    untouched = await rowsOfTenant(api.database.pool, other);
    expect(untouched.length).toBeGreaterThan(30);
  });

  it('have an input each that this test knows', () => {
    expect(Object.keys(INPUTS).sort()).toEqual(
      fieldsOf('Mutation')
        .map(({ name }) => name)
        .sort(),
    );
  });

  it.each(Object.keys(INPUTS))(
    '%s changes and shows nothing of another organization',
    async (name) => {
      const field = fieldsOf('Mutation').find((candidate) => candidate.name === name)!;
      const tenant = planTenant(`${name}-own`);
      await insertTenant(api.database.pool, tenant);
      for (const slot of slotsOf(field)) {
        for (const value of foreignValues(slot)) {
          const changed = withValue({ input: INPUTS[name]!(tenant) }, slot, value);
          const source = operationOn(schema, 'mutation', field, changed, 2);
          const answer = await answerTo(source, changed, tenant);
          // Texts that were given before may be its own by now.
          const given = [value, ...Object.values(other.texts)];
          expect(foreignIn(answer, ...given), `${JSON.stringify(changed)} answers ${answer}`).toEqual([]);
          if (slot.type === 'ID' && !slot.isList)
            expect(answer, JSON.stringify(changed)).toMatch(/^{"errors"|"matched":0|"failed":1/);
        }
      }
      const values = { input: INPUTS[name]!(tenant) };
      // It would succeed otherwise: what was refused was refused for the id.
      expect(await answerTo(operationOn(schema, 'mutation', field, values, 3), values, tenant)).not.toMatch(ERRORS);
      expect(await rowsOfTenant(api.database.pool, other)).toEqual(untouched);
      expect(submitted.filter((message) => message.includes(other.ids.organization))).toEqual([]);
    },
    60_000,
  );
});

describe('subscriptions', () => {
  let server: GraphqlServer;
  const clients: Client[] = [];

  beforeAll(async () => {
    server = await startGraphqlServer({
      config: { httpHost: '127.0.0.1', httpPort: 0, auth: 'required', oidc: undefined },
      database: api.database,
      broker,
      log: silentLog,
      services: api.services,
      readiness: async () => ({ ok: true, parts: {} }),
    });
  });
  afterAll(async () => {
    for (const client of clients) await client.dispose();
    await server?.close();
  });

  async function clientOf(tenant: Tenant): Promise<Client> {
    const { secret } = await api.services.apiTokens.create(tenant.ids.organization, {
      name: `${tenant.mark} watches ${clients.length}`,
      role: Role.VIEWER,
    });
    const client = createClient({
      url: `ws://127.0.0.1:${server.port}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${secret}` },
      retryAttempts: 0,
    });
    clients.push(client);
    return client;
  }

  /** What a subscription has received, as it grows. */
  function watch(client: Client, query: string, variables: Values): string[] {
    const received: string[] = [];
    const keep = (event: unknown) => void received.push(JSON.stringify(event));
    client.subscribe({ query, variables }, { next: keep, error: keep, complete: () => undefined });
    return received;
  }

  it('are all known to this test', () => {
    expect(Object.keys(EVENTS).sort()).toEqual(
      fieldsOf('Subscription')
        .map(({ name }) => name)
        .sort(),
    );
  });

  it.each(Object.keys(EVENTS))('%s tells nothing of another organization, also when asked for it', async (name) => {
    const field = fieldsOf('Subscription').find((candidate) => candidate.name === name)!;
    const [mine, theirs] = [await clientOf(own), await clientOf(other)];
    const open = (client: Client, values: Values) =>
      watch(client, operationOn(schema, 'subscription', field, values, 2), values);
    const all = open(mine, {});
    const control = open(theirs, {});
    const asking = slotsOf(field).flatMap((slot) =>
      foreignValues(slot).map((value) => ({ value, received: open(mine, withValue({}, slot, value)) })),
    );
    // Until the control has one, its subscription may not have begun; what came before that nobody is told of.
    await vi.waitFor(
      async () => {
        await EVENTS[name]!(other);
        await EVENTS[name]!(own);
        expect([all.length, control.length].every((count) => count > 0)).toBe(true);
      },
      { timeout: 20_000, interval: 200 },
    );
    expect(control.join()).toContain(other.ids.meterDevice);
    expect(all.join()).toContain(own.ids.meterDevice);
    expect(foreignIn(all.join(), '-')).toEqual([]);
    for (const { value, received } of asking) expect(foreignIn(received.join(), value), value).toEqual([]);
  });
});
