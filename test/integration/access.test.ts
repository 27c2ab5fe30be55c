import { once } from 'node:events';
import { createClient as createSocketClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { Role } from '../../src/domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { createClient } from '../../src/graphql/client.js';
import {
  ApiTokensDocument,
  CreateApiTokenDocument,
  MeterReadingAddedDocument,
  RevokeApiTokenDocument,
} from '../../src/graphql/generated/graphql.js';
import { startGraphqlServer, type GraphqlServer } from '../../src/graphql/server.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { createServices, type Services } from '../../src/services/index.js';
import { TokenVerifier } from '../../src/services/token-verifier.js';
import { silentLog } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let db: TestDatabase;
let broker: MemoryBroker;
let services: Services;
let server: GraphqlServer;
let admin: string;
const secondOrganization = uuidAt();

beforeAll(async () => {
  db = await createTestDatabase();
  broker = new MemoryBroker(silentLog);
  services = createServices({ database: db.database, broker, credentialsPublicKey: undefined, log: silentLog });
  server = await startGraphqlServer({
    config: { httpHost: '127.0.0.1', httpPort: 0, auth: 'required', oidc: undefined },
    database: db.database,
    broker,
    log: silentLog,
    services,
    readiness: async () => ({ ok: true, parts: {} }),
  });
  await db.database.pool.query("insert into organization (id, name) values ($1, 'Second')", [secondOrganization]);
  admin = await tokenOf({ role: Role.ADMIN, name: 'admin of the test' });
});
afterAll(async () => {
  await server?.close();
  await broker?.close();
  await db?.drop();
});

let made = 0;
const create = (
  input: Partial<Parameters<Services['apiTokens']['create']>[1]> = {},
  organization = DEFAULT_ORGANIZATION_ID,
) => services.apiTokens.create(organization, { name: `token ${++made}`, role: Role.VIEWER, ...input });
const tokenOf = async (...args: Parameters<typeof create>) => (await create(...args)).secret;

interface Answer {
  data?: Record<string, unknown> | null;
  errors?: { message: string; extensions: { code: string } }[];
}
async function post(query: string, authorization?: string) {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(authorization !== undefined && { authorization }) },
    body: JSON.stringify({ query }),
  });
  const answer = (await response.json()) as Answer;
  return { status: response.status, headers: response.headers, ...answer, code: answer.errors?.[0]?.extensions.code };
}
const clientWith = (token?: string) => createClient({ url: `${server.url}/graphql`, token });

const ORGANIZATION = '{ organization { id } }';
const SAVE_SEGMENT = (name: string) => `mutation { createSegment(input: { name: "${name}" }) { segment { id } } }`;
const KEEP_FIRST = 'mutation { updateOrganization(input: { revisionPolicy: KEEP_FIRST }) { organization { id } } }';

describe('HTTP', () => {
  it('answers nobody without a token, not even about the schema, and says how to send one', async () => {
    for (const query of [ORGANIZATION, '{ __schema { queryType { name } } }', '{ __typename }']) {
      const answer = await post(query);
      expect(answer).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
      expect(answer.data ?? null).toBeNull();
      expect(answer.errors![0]!.message).toContain('Authorization: Bearer');
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    }
  });

  it.each([
    ['a token nobody made', `Bearer amr_${'a'.repeat(43)}`],
    ['no token', 'Bearer secret'],
    ['another scheme', 'Basic YTpi'],
    ['a JWT where there is no issuer', 'Bearer e30.e30.e30'],
  ])('refuses %s', async (_what, authorization) => {
    expect(await post(ORGANIZATION, authorization)).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
  });

  it('takes a token as it is written, and the organization from it', async () => {
    const [first, second] = [await tokenOf(), await tokenOf({}, secondOrganization)];
    expect((await post(ORGANIZATION, `Bearer ${first}`)).data).toEqual({
      organization: { id: DEFAULT_ORGANIZATION_ID },
    });
    expect((await post(ORGANIZATION, `bearer  ${second} `)).data).toEqual({ organization: { id: secondOrganization } });
  });

  it('lets each role do what it may, and names the role that is needed', async () => {
    const [viewer, operator] = [await tokenOf(), await tokenOf({ role: Role.OPERATOR })];
    const refusals = await Promise.all([
      post(SAVE_SEGMENT('refused'), `Bearer ${viewer}`),
      post(KEEP_FIRST, `Bearer ${viewer}`),
      post(KEEP_FIRST, `Bearer ${operator}`),
      post('{ apiTokens { nodes { id } } }', `Bearer ${operator}`),
    ]);
    expect(refusals.map(({ code }) => code)).toEqual(Array(4).fill('FORBIDDEN'));
    expect(refusals[0].errors![0]!.message).toMatch(/createSegment needs the role OPERATOR; yours is VIEWER/);
    const { rows } = await db.database.pool.query("select from segment where name = 'refused'");
    expect(rows).toEqual([]);
    for (const [query, token] of [
      [SAVE_SEGMENT('by an operator'), operator],
      [KEEP_FIRST, admin],
      ['{ apiTokens { nodes { id } } }', admin],
    ] as const)
      expect((await post(query, `Bearer ${token}`)).errors).toBeUndefined();
  });

  it('keeps a token with scopes to them, and to tokens no better than itself', async () => {
    const scoped = await tokenOf({ role: Role.ADMIN, scopes: ['organization', 'createApiToken'] });
    expect((await post(ORGANIZATION, `Bearer ${scoped}`)).errors).toBeUndefined();
    expect(await post('{ segments { nodes { id } } }', `Bearer ${scoped}`)).toMatchObject({ code: 'FORBIDDEN' });
    const createWith = (name: string, scopes?: string[]) =>
      clientWith(scoped).request(CreateApiTokenDocument, { input: { name, role: 'ADMIN', scopes } });
    await expect(createWith('more')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(createWith('other', ['segments'])).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await createWith('as good', ['organization']);
    await expect(
      clientWith(admin).request(CreateApiTokenDocument, { input: { name: 'x', role: 'VIEWER', scopes: ['segmnts'] } }),
    ).rejects.toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.scopes.0' });
  });

  it('refuses a token that has expired, and those of an organization that is not active', async () => {
    const gone = await create();
    await db.database.pool.query("update api_token set expires_at = now() - interval '1 s' where id = $1", [
      gone.apiToken.id,
    ]);
    expect(await post(ORGANIZATION, `Bearer ${gone.secret}`)).toMatchObject({ status: 401 });
    const closed = uuidAt();
    await db.database.pool.query("insert into organization (id, name, is_active) values ($1, 'Closed', false)", [
      closed,
    ]);
    expect(await post(ORGANIZATION, `Bearer ${await tokenOf({}, closed)}`)).toMatchObject({ status: 401 });
  });

  it('leaves health open', async () => {
    expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
  });
});

describe('tokens', () => {
  it('are shown once, listed without secret, revoked for good, and audited with who and from where', async () => {
    const client = clientWith(admin);
    const input = { name: 'billing', role: 'VIEWER', expiresAt: '2099-01-01T00:00:00Z' } as const;
    const { createApiToken } = await client.request(CreateApiTokenDocument, { input });
    const { secret, apiToken } = createApiToken;
    await expect(client.request(CreateApiTokenDocument, { input })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await post(ORGANIZATION, `Bearer ${secret}`)).errors).toBeUndefined();

    const listed = JSON.stringify(await client.request(ApiTokensDocument, {}));
    expect(listed).toContain(apiToken.id);
    expect(listed).not.toContain(secret);
    const { rows: stored } = await db.database.pool.query('select * from api_token where id = $1', [apiToken.id]);
    expect(JSON.stringify(stored)).not.toContain(secret.slice(4));

    await client.request(RevokeApiTokenDocument, { input: { id: apiToken.id } });
    await vi.waitFor(async () => expect(await post(ORGANIZATION, `Bearer ${secret}`)).toMatchObject({ status: 401 }));
    const { rows: audits } = await db.database.pool.query(
      'select actor, source, action, before, after from audit_entry where subject_id = $1 order by id',
      [apiToken.id],
    );
    expect(audits).toMatchObject([
      { actor: 'admin of the test', source: '127.0.0.1', action: 'createApiToken', after: { name: 'billing' } },
      { actor: 'admin of the test', source: '127.0.0.1', action: 'revokeApiToken', before: { name: 'billing' } },
    ]);
    expect(JSON.stringify(audits)).not.toContain(secret.slice(4));
  });

  it('are looked up once for many requests, and their use is written once', async () => {
    const { secret, apiToken } = await create();
    const look = vi.spyOn(db.database.pool, 'query');
    const verifier = await TokenVerifier.start({ pool: db.database.pool, broker, log: silentLog });
    try {
      const verified = await Promise.all(Array.from({ length: 50 }, () => verifier.verify(secret)));
      expect(new Set(verified.map((token) => token?.id))).toEqual(new Set([apiToken.id]));
      expect(look).toHaveBeenCalledTimes(1);
      await verifier.keepUp();
      await verifier.verify(secret);
      await verifier.keepUp();
    } finally {
      look.mockRestore();
      await verifier.stop();
    }
    const { rows } = await db.database.pool.query<{ age: number; xmin: string }>(
      'select extract(epoch from now() - last_used_at)::float as age from api_token where id = $1',
      [apiToken.id],
    );
    expect(rows[0]!.age).toBeLessThan(60);
  });

  it('that were revoked without a word end at the next look', async () => {
    const { secret, apiToken } = await create();
    const verifier = await TokenVerifier.start({ pool: db.database.pool, broker, log: silentLog });
    try {
      const { revoked } = (await verifier.verify(secret))!;
      await db.database.pool.query('update api_token set revoked_at = now() where id = $1', [apiToken.id]);
      await verifier.keepUp();
      expect(revoked.aborted).toBe(true);
    } finally {
      await verifier.stop();
    }
  });
});

describe('WebSocket', () => {
  async function closedWith(payload?: object, headers: Record<string, string> = {}) {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/graphql`, 'graphql-transport-ws', { headers });
    await once(socket, 'open');
    const ended = once(socket, 'close') as Promise<[number, Buffer]>;
    const acknowledged = once(socket, 'message') as Promise<[Buffer]>;
    socket.send(JSON.stringify({ type: 'connection_init', payload }));
    const first = await Promise.race([
      ended.then(([code, reason]) => `${code} ${reason.toString()}`),
      acknowledged.then(([data]) => data.toString()),
    ]);
    socket.terminate();
    return first;
  }

  it('is refused with 4403 without a token that is good', async () => {
    expect(await closedWith()).toBe('4403 This API asks for a token');
    expect(await closedWith({ authorization: `Bearer amr_${'a'.repeat(43)}` })).toMatch(/^4403 The token is not known/);
    expect(await closedWith({ authorization: { nonsense: true } })).toMatch(/^4403/);
  });

  it('takes the token in the payload, under either name, or in the header of the upgrade', async () => {
    const authorization = `Bearer ${await tokenOf()}`;
    const ack = '{"type":"connection_ack"}';
    expect(await closedWith({ authorization })).toBe(ack);
    expect(await closedWith({ Authorization: authorization })).toBe(ack);
    expect(await closedWith(undefined, { authorization })).toBe(ack);
  });

  it('checks roles and scopes of each operation', async () => {
    const authorization = `Bearer ${await tokenOf({ scopes: ['taskRunUpdated'] })}`;
    const client = createSocketClient({
      url: `ws://127.0.0.1:${server.port}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization },
      retryAttempts: 0,
    });
    const firstOf = (query: string) =>
      new Promise<unknown>((resolve) =>
        client.subscribe(
          { query },
          { next: resolve, error: (error) => resolve({ errors: error }), complete: () => undefined },
        ),
      );
    try {
      for (const query of [
        'subscription { meterReadingAdded { value } }',
        '{ organization { id } }',
        SAVE_SEGMENT('over WebSocket'),
      ])
        expect(await firstOf(query)).toMatchObject({ errors: [{ extensions: { code: 'FORBIDDEN' } }] });
    } finally {
      await client.dispose();
    }
  });

  const watch = (token: string) => {
    const readings = clientWith(token).subscribe(MeterReadingAddedDocument, () => ({}));
    return { ended: readings.next().catch((error: unknown) => error), stop: () => readings.return?.() };
  };
  const subscribers = async () =>
    (await (await fetch(`${server.url}/metrics`)).text()).match(/^amr_subscribers\S* (\d+)/m);

  it('ends a running subscription when its token is revoked, for good', async () => {
    const { secret, apiToken } = await create();
    const { ended } = watch(secret);
    await vi.waitFor(async () => expect((await subscribers())?.[1]).toBe('1'));
    await services.apiTokens.revoke(DEFAULT_ORGANIZATION_ID, apiToken.id);
    expect(await ended).toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringContaining('revoked') as string,
    });
    await vi.waitFor(async () => expect((await subscribers())?.[1]).toBe('0'));
  });

  it('ends a running subscription when its token expires', async () => {
    const secret = await tokenOf({ expiresAt: new Date(Date.now() + 1_500) });
    expect(await watch(secret).ended).toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringContaining('expired') as string,
    });
  });
});
