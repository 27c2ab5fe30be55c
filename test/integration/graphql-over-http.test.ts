import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type Answer, type TestServer } from '../support/api-server.js';

let api: TestServer;

beforeAll(async () => {
  api = await startTestServer();
});
afterAll(() => api?.close());

// The audits know nothing of protection against forged requests: their GETs come without the header it asks for.
const fetchFn = (url: string, init: RequestInit = {}) =>
  fetch(url, { ...init, headers: { ...(init.headers as Record<string, string>), 'apollo-require-preflight': 'true' } });

describe('GraphQL over HTTP', () => {
  const audits = serverAudits({ url: () => api.url, fetchFn });

  it('has audits of what a server must, should and may', () => {
    expect(audits.length).toBeGreaterThan(50);
  });

  it.each(audits.filter(({ name }) => !name.startsWith('MAY')).map((audit) => [audit.id, audit.name, audit] as const))(
    '%s %s',
    async (_id, _name, audit) => {
      const result = await audit.fn();
      expect(result.status, 'reason' in result ? result.reason : '').toBe('ok');
    },
  );

  it('answers modern clients with 400 for a wrong document, classic ones with 200, and those that do not say with 400', async () => {
    const status = async (accept: string) => (await api.post({ query: '{' }, { accept })).status;
    expect(await status('application/graphql-response+json')).toBe(400);
    expect(await status('application/json')).toBe(200);
    expect(await status('*/*')).toBe(400);
  });
});

describe('every answer', () => {
  const expectSafe = (headers: Headers) => {
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
  };

  it.each([
    '/graphql',
    '/nothing',
    '/graphiql',
    '/health/live',
    '/metrics',
    '/',
    '/%ff',
    '/graphiql/../../package.json',
  ])('of %s carries headers that keep browsers from misusing it', async (path) =>
    expectSafe((await fetch(`${api.server.url}${path}`, { redirect: 'manual' })).headers),
  );

  it.each([
    ['an answer', { query: '{ __typename }' }],
    ['a wrong document', { query: '{' }],
    ['a list of operations', [{ query: '{ __typename }' }]],
    ['no JSON', 'no JSON'],
    ['a body that is too large', { padding: 'x'.repeat(1_000_000) }],
  ])('to %s by POST carries them too', async (_what, body) => expectSafe((await api.post(body)).headers));

  it('to what is no HTTP carries them too', async () => {
    const socket = connect(api.server.port, '127.0.0.1');
    socket.write('hello\r\n\r\n');
    const answer = await text(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(answer).toContain('x-content-type-options: nosniff');
  });

  it('that is not there has the form of GraphQL', async () => {
    const answer = await fetch(`${api.server.url}/nothing`);
    expect(answer.status).toBe(404);
    expect(((await answer.json()) as Answer).errors![0]!.extensions.code).toBe('NOT_FOUND');
  });
});

describe('a request that another site could make a browser send', () => {
  const query = { query: '{ __typename }' };

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
    'is refused: POST with %s',
    async (type) => {
      const answer = await api.post(JSON.stringify(query), { 'content-type': type });
      expect([400, 415]).toContain(answer.status);
      expect(((await answer.json()) as Answer).data).toBeUndefined();
    },
  );

  it('is refused: GET without a header that a form cannot set', async () => {
    const answer = await api.get(query, { 'apollo-require-preflight': '' });
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as Answer).errors![0]!.message).toContain('Cross-Site Request Forgery');
  });

  it('is refused: a mutation by GET', async () => {
    const answer = await api.get({
      query: 'mutation { createAmrTaskGroup(input: {name: "g"}) { amrTaskGroup { id } } }',
    });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('POST');
  });
});
