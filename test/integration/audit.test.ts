import { isObjectType, graphql } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKeyPair } from '../../src/credentials.js';
import { Role } from '../../src/domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import type { RequestContext } from '../../src/graphql/context.js';
import type { LiveFeed } from '../../src/graphql/live-feed.js';
import { createLoaders } from '../../src/graphql/loaders.js';
import { buildGraphqlSchema } from '../../src/graphql/schema.js';
import { ACK } from '../../src/messaging/broker.js';
import { dropOldAuditEntries } from '../../src/services/retention.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import { mutationExamples } from '../support/mutation-examples.js';

const schema = await buildGraphqlSchema();
const mutations = Object.values(schema.getMutationType()!.getFields());
const brokers = testBrokers('memory:');
let api: TestApi;

beforeAll(async () => {
  const broker = await brokers.open();
  for (const queue of ['readings.new', 'amr.results'] as const)
    await broker.consume(queue, async () => ACK, { prefetch: 10 });
  api = await createTestApi(broker, createKeyPair().publicKey);
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});

const entries = async () =>
  (
    await api.database.pool.query<Record<string, unknown>>(
      'select actor, source, action, subject_type, subject_id, before, after from audit_entry order by id',
    )
  ).rows;

/** Runs a mutation as somebody from somewhere. */
async function mutate(name: string, input: object, actor = 'operator', source = '192.0.2.7') {
  const field = schema.getMutationType()!.getFields()[name]!;
  const payload = field.type.toString().replace('!', '');
  const type = schema.getType(payload);
  const [leaf] = isObjectType(type) ? Object.values(type.getFields()) : [];
  const selection = leaf && /^(ID|Int|String|Boolean)!?$/.test(String(leaf.type)) ? leaf.name : '__typename';
  const { services } = api;
  const loaders = createLoaders(services, DEFAULT_ORGANIZATION_ID);
  const contextValue: RequestContext = {
    organizationId: DEFAULT_ORGANIZATION_ID,
    role: Role.ADMIN,
    services,
    loaders,
    live: {} as LiveFeed,
    actor,
    source,
  };
  const inputType = String(field.args[0]!.type);
  const source_ = `mutation ($input: ${inputType}) { ${name}(input: $input) { ${selection} } }`;
  return graphql({ schema, source: source_, variableValues: { input }, contextValue });
}

describe('the audit', () => {
  it.each(mutations.map(({ name }) => name))('has who did %s, from where, to what', async (name) => {
    const example = mutationExamples(api)[name];
    if (!example)
      throw new Error(`Give ${name} an example in test/support/mutation-examples.ts: every mutation is audited.`);
    const { input, subjectType, before, after, entries: expected = 1 } = await example();
    const earlier = (await entries()).length;
    const { errors } = await mutate(name, input);
    expect(errors).toBeUndefined();
    const written = (await entries()).slice(earlier);
    expect(written).toHaveLength(expected);
    for (const entry of written) expect(entry).toMatchObject({ actor: 'operator', action: name });
    expect(written[0]).toMatchObject({
      ...{ actor: 'operator', source: '192.0.2.7', action: name, subject_type: subjectType },
      ...(before && { before }),
      ...(after && { after }),
    });
    expect(JSON.stringify(written)).not.toContain('sesame42');
  });

  it('has nothing of what was refused or rolled back', async () => {
    const earlier = (await entries()).length;
    const { errors } = await mutate('createSegment', { name: '' });
    expect(errors).toHaveLength(1);
    await mutate('createSegment', { name: 'taken' });
    expect((await mutate('createSegment', { name: 'taken' })).errors).toHaveLength(1);
    expect((await entries()).length - earlier).toBe(1);
  });

  it('is written in the transaction that does it: the one is not without the other', async () => {
    const { pool } = api.database;
    await pool.query(`alter table audit_entry add constraint closed check (actor <> 'nobody') not valid`);
    const { errors } = await mutate('createSegment', { name: 'unaudited' }, 'nobody');
    expect(errors).toHaveLength(1);
    expect((await pool.query(`select from segment where name = 'unaudited'`)).rowCount).toBe(0);
    await pool.query('alter table audit_entry drop constraint closed');
  });

  it('is found by who, what and when, newest first, in pages', async () => {
    const begun = new Date(Date.now() - 1000).toISOString();
    for (const name of ['one', 'two', 'three']) await mutate('createSegment', { name }, 'auditor');
    const ask = (filter: string, after = 'null') =>
      api
        .run<{
          auditEntries: {
            totalCount: number;
            nodes: { action: string; after: { name: string } }[];
            pageInfo: { endCursor: string };
          };
        }>(
          `{ auditEntries(filter: {${filter}}, first: 2, after: ${after}) {
            totalCount nodes { action actor source subjectType subjectId at after } pageInfo { endCursor } } }`,
        )
        .then(({ auditEntries }) => auditEntries);
    const filter = `actor: "auditor", action: "createSegment", subjectType: "Segment", from: "${begun}"`;
    const first = await ask(filter);
    expect(first.totalCount).toBe(3);
    expect(first.nodes.map(({ after }) => after.name)).toEqual(['three', 'two']);
    const second = await ask(filter, JSON.stringify(first.pageInfo.endCursor));
    expect(second.nodes.map(({ after }) => after.name)).toEqual(['one']);
    expect((await ask(`actor: "auditor", to: "${begun}"`)).totalCount).toBe(0);
    expect(await api.failure('{ auditEntries(after: "bm8") { nodes { id } } }')).toMatchObject({ field: 'after' });
  });

  it('is kept as long as it is to be', async () => {
    const { pool } = api.database;
    await pool.query(`update audit_entry set at = now() - interval '31 days' where actor = 'auditor'`);
    const before = (await entries()).length;
    await dropOldAuditEntries(pool, 30, new AbortController().signal);
    expect(before - (await entries()).length).toBe(3);
  });
});
